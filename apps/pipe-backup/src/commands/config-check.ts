import type { CliContext } from '../cli-context.ts'
import { refuseSharedLocations } from '../providers/shared-locations.ts'
import { plural } from '../terminal/quantities.ts'
import { openConfig } from '../vault/open-config.ts'

/** `config check`: reads and checks the configuration, touches nothing else. @returns the exit code */
export async function configCheck(cli: CliContext): Promise<number> {
  const { output } = cli
  const config = await openConfig(cli)
  await refuseSharedLocations(config)
  const { file, vault, copies, hostKey, state, sources, sinks, warnings } = config
  output.print(
    `${file} is fine: ${plural(sources.length, 'source')}, ${plural(sinks.length, 'sink')}, ${copies} of them must hold a snapshot`,
  )
  output.print(`host key: ${hostKey}\nstate:    ${state}`)
  output.printJson({
    file,
    vault,
    copies,
    hostKey,
    state,
    sources: sources.map(({ name, type }) => ({ name, type })),
    sinks: sinks.map(({ name, type }) => ({ name, type })),
    warnings,
  })
  return 0
}
