/**
 * A path as it can be shown on one line: UTF-8, with U+FFFD for what is not and for control characters, which
 * a hostile name could use to forge a line of a log or to steer a terminal.
 */
export declare function displayPath(path: Uint8Array): string;
