/** The variable by which an SSH agent is found, where the configuration has nothing else to log in with. */
export function sshAgent({
  identity,
  password,
}: {
  readonly identity?: unknown
  readonly password?: unknown
}): readonly string[] {
  return identity === undefined && password === undefined ? ['SSH_AUTH_SOCK'] : []
}
