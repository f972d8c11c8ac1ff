/** The one place that knows what the operating system's error codes mean for a sink. */
export declare function toSinkError(cause: unknown, sink: string, key?: string): unknown;
