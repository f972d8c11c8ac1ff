/** Takes PIPE_BACKUP_PHRASE out of the environment, so that no child inherits it. */
export function takePhraseVariable(env: NodeJS.ProcessEnv): string | undefined {
  const value = env['PIPE_BACKUP_PHRASE']
  delete env['PIPE_BACKUP_PHRASE']
  return value === '' ? undefined : value
}
