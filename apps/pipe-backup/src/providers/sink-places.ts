import { ConfigError } from '../config/config-error.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import { findSinkType } from '../config/schema.ts'
import type { Place } from './place.ts'

/**
 * Refuses sinks that are one place, or of which one is inside another: they would be counted as two copies, and what one deletes is
 * gone from both. Looks at directories of this machine, and at nothing else.
 * @throws ConfigError `bad-value`
 */
export async function refuseSharedPlaces(
  config: Pick<LoadedConfig, 'sinks' | 'path' | 'file'>,
): Promise<void> {
  const known: { readonly name: string; readonly place: Place }[] = []
  for (const [index, sink] of config.sinks.entries()) {
    const place = await findSinkType(sink.type).place(sink, config)
    if (!place) continue
    const last = place.at(-1) ?? ''
    for (const other of known) {
      const theirs = other.place.at(-1) ?? ''
      const how =
        theirs === last
          ? 'the same place as'
          : place.includes(theirs)
            ? 'inside the place of'
            : other.place.includes(last)
              ? 'around the place of'
              : undefined
      if (how === undefined) continue
      const message = `"${sink.name}" is ${how} sink "${other.name}": together they are one copy, and not two`
      throw new ConfigError(
        { code: 'bad-value', message, file: config.file, path: `sinks[${index}]` },
        { hint: 'Give each sink a place of its own, or leave one of them out.' },
      )
    }
    known.push({ name: sink.name, place })
  }
}
