import { type ReadContext, SourceError, type SourceErrorCode } from '@pipe-backup/source';
/** Why one path could not be taken: without the path, so that it makes both a report and an error. */
export interface Failure {
    readonly code: SourceErrorCode;
    readonly message: string;
    readonly hint?: string;
    readonly cause?: unknown;
}
/** Something else stands where the walk saw a file or a directory. */
export declare function replaced(what: string, cause?: unknown): Failure;
/**
 * The one place that knows system errors.
 * @param act - what was tried, as in "not listed".
 * @throws the cause itself when it is no system error: a bug must not pass for an unreadable file.
 */
export declare function toFailure(cause: unknown, act: string): Failure;
/** @param path - in the form of an entry's path. */
export declare function toSourceError(failure: Failure, path: Uint8Array): SourceError;
/** @throws SourceError when nobody listens. */
export declare function report(failure: Failure, path: Uint8Array, onProblem: ReadContext['onProblem']): void;
export declare function isSystemError(cause: unknown): cause is Error & {
    readonly code: string;
    readonly errno: number;
};
