import { configSchema, findSinkType } from '../config/schema.ts'
import type { SinkConfig } from '../providers/sink-type.ts'
import * as sinkTypes from '../providers/sink-types.ts'
import { askName } from './ask-name.ts'
import { AGAIN, type Asking, askOptions, type Options } from './ask-options.ts'
import type { Asker } from './asker.ts'
import { judge, mistakesOf, type Trying, trySink } from './try-part.ts'

/** Asks for sinks until there is one and no more are wanted. Each is tried. */
export async function askSinks(asking: Asking, trying: Trying): Promise<readonly Options[]> {
  const { asker } = asking
  const sinks: Options[] = []
  const placed: SinkConfig[] = []
  asker.say(
    '\nWhere is the backup to be kept? Each place is called a sink and holds all of it, encrypted. Two in different buildings are better than one.',
  )
  do {
    const sink = await askSink(asking, trying, sinks, placed)
    if (sink !== undefined) sinks.push(sink)
  } while (sinks.length === 0 || (await asker.confirm('Another sink', false)))
  return sinks
}

async function askSink(
  asking: Asking,
  trying: Trying,
  others: readonly Options[],
  placed: SinkConfig[],
): Promise<Options | undefined> {
  const { asker } = asking
  const type = await askType(asker)
  const name = await askName(asker, type, others)
  let suggested: Options = {}
  for (;;) {
    const options = await askOptions(asking, findSinkType(type), name, {}, suggested)
    const sink = { type, name, ...options }
    const parsed = configSchema.shape.sinks.element.safeParse(sink, { reportInput: true })
    const verdict = await judge(
      parsed.success ? await trySink(parsed.data, placed, trying) : mistakesOf(parsed.error),
      asker,
    )
    if (verdict === 'keep') {
      if (parsed.success) placed.push(parsed.data)
      return sink
    }
    if (verdict === 'drop') return undefined
    suggested = options
    asker.say(AGAIN)
  }
}

async function askType(asker: Asker): Promise<string> {
  const types = Object.values(sinkTypes).toSorted(
    // What everybody has comes first.
    (a, b) => Number(b.type === 'local') - Number(a.type === 'local'),
  )
  return await asker.choose(
    'What kind of place?',
    types.map(({ type, schema }) => ({ value: type, label: `${type}: ${schema.description ?? ''}` })),
  )
}
