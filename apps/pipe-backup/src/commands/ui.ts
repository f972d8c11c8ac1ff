import type { CliContext } from '../cli-context.ts'
import { openConfig, openSecrets } from '../vault/open-config.ts'

export interface UiOptions {
  /** Default: any that is free. */
  readonly port?: number | undefined
}

/** `ui`: serves the page on this machine until it is stopped. @returns the exit code */
export async function ui(cli: CliContext, { port = 0 }: UiOptions): Promise<number> {
  const { machine, output, signal } = cli
  const env = { ...machine.env }
  const config = await openConfig(cli)
  // From here on programs that are started inherit none of the secrets; what opens the sinks gets a copy of what there was.
  openSecrets(config, cli)
  const { serveUi } = await import('../ui/serve-ui.ts')
  await serveUi({ cli, config, env }, port, (address) => {
    output.print(
      `The page of vault ${config.vault} is at\n\n    ${address}\n\nThe address works once, on this machine. Ctrl-C ends it.`,
    )
    output.printJson({ address })
  })
  // To be stopped is its only end.
  return signal.aborted ? 0 : 1
}
