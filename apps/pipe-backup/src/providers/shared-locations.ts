import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import type { SinkLocation } from './sink-location.ts'

/**
 * Refuses sinks that are one location, or of which one is inside another: they would be counted as two copies, and what one deletes is
 * gone from both. Looks at directories of this machine, and at nothing else.
 * @throws ConfigError `bad-value`
 */
export async function refuseSharedLocations(
  config: Pick<LoadedConfig, 'sinks' | 'path' | 'file'>,
): Promise<void> {
  const known: { readonly name: string; readonly location: SinkLocation }[] = []
  for (const [index, sink] of config.sinks.entries()) {
    const location = await findSinkType(sink.type).location(sink, config)
    if (!location) continue
    const last = location.at(-1) ?? ''
    for (const other of known) {
      const theirs = other.location.at(-1) ?? ''
      const how =
        theirs === last
          ? 'the same place as'
          : location.includes(theirs)
            ? 'inside the place of'
            : other.location.includes(last)
              ? 'around the place of'
              : undefined
      if (how === undefined) continue
      const message = `"${sink.name}" is ${how} sink "${other.name}": together they are one copy, and not two`
      throw new ConfigError(
        { code: 'bad-value', message, file: config.file, path: `sinks[${index}]` },
        { hint: 'Give each sink a place of its own, or leave one of them out.' },
      )
    }
    known.push({ name: sink.name, location })
  }
}
