const decoder = new TextDecoder();
/**
 * A path as it can be shown on one line: UTF-8, with U+FFFD for what is not and for control characters, which
 * a hostile name could use to forge a line of a log or to steer a terminal.
 */
export function displayPath(path) {
    return decoder.decode(path).replaceAll(/\p{Cc}/gu, '\uFFFD');
}
//# sourceMappingURL=display-path.js.map