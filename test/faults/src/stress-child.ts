import { runEpisode } from './stress.ts'
import type { EpisodeRequest } from './stress-process.ts'

// Who has started this ends it: it is asked for nothing more.
process.on('SIGINT', () => undefined)
process.on('message', (message) => void answer(message as EpisodeRequest))

async function answer({ seed, steps }: EpisodeRequest): Promise<void> {
  process.send?.(await runEpisode(seed, steps))
}
