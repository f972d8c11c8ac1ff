/** A program given by its path (`./dump.sh`, `~/bin/dump`) is found as other paths are; a bare name by PATH. */
export function resolveProgram(
  run: readonly string[],
  around: { readonly path: (value: string) => string },
): readonly string[] {
  const [program = '', ...rest] = run
  return [program.includes('/') ? around.path(program) : program, ...rest]
}
