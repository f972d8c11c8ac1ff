import { deriveKeys, generatePhrase, masterFromPhrase } from '@pipe-backup/crypto'
import type { CliContext } from '../cli-context.ts'
import { choosePhraseOutlet } from '../phrase/phrase-outlet.ts'
import { hide } from '../secrets/redact.ts'

/** `key generate`: a recovery phrase for a recipient, on its own machine, and the public key that it gives away. @returns the exit code */
export async function keyGenerate(
  cli: CliContext,
  options: { readonly phraseOut?: string | undefined },
): Promise<number> {
  const { output } = cli
  const outlet = await choosePhraseOutlet(options.phraseOut, cli)
  const phrase = generatePhrase()
  hide(phrase)
  const { publicKey } = await deriveKeys(masterFromPhrase(phrase))
  await outlet.give(phrase)
  const recipient = Buffer.from(publicKey).toString('hex')
  const say = outlet.onStdout ? output.note : output.print
  say(`public key: ${recipient}`)
  if (!outlet.onStdout) say(`Where the vault's phrase is: pipe-backup key add-recipient ${recipient}`)
  output.printJson({ publicKey: recipient, ...outlet.json() })
  return 0
}
