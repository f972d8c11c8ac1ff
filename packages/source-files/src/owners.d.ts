/** Names of users and groups by their numbers, as /etc/passwd and /etc/group have them; read once, when first asked. */
export declare class Owners {
    #private;
    /** Empty where unknown. */
    user(uid: number): string;
    /** Empty where unknown. */
    group(gid: number): string;
}
/** Lines of `name:password:number:…`, see passwd(5) and group(5). The first line of a number counts, as in getpwuid(3). */
export declare function parseNames(text: string): Map<number, string>;
