/** Longer pieces gain nothing; one write for each line costs more than making the line. */
const BATCH_CHARACTERS = 64 * 1024

/** Joins lines, each with its end, to pieces worth a write. */
export async function* batchLines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let batch = ''
  for await (const line of lines) {
    batch += `${line}\n`
    if (batch.length < BATCH_CHARACTERS) continue
    yield batch
    batch = ''
  }
  if (batch !== '') yield batch
}
