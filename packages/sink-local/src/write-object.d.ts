/** Where objects are written before they have their name. Its name can't be a key, so listings never show it. */
export declare const TEMPORARY_DIRECTORY = ".tmp";
/** One object on its way: written under a temporary name, and given its own when all of it is on the disk. */
export declare class ObjectFile {
    #private;
    static create(root: string, key: string): Promise<ObjectFile>;
    private constructor();
    write(bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
    /** Makes it durable and visible. @param ifAbsent - fail with EEXIST when the name is taken */
    commit(ifAbsent: boolean, signal?: AbortSignal): Promise<void>;
    discard(): Promise<void>;
}
export declare function syncDirectory(path: string): Promise<void>;
export declare function isCode(error: unknown, code: string): boolean;
