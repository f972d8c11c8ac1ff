import { deriveKeys, generatePhrase, masterFromPhrase } from '@pipe-backup/crypto'
import { choosePhraseOutlet } from '../phrase/phrase-outlet.ts'
import { hide } from '../secrets/redact.ts'
import type { Session } from '../session.ts'

/** `key generate`: a recovery phrase for a recipient, on its own machine, and the public key that it gives away. @returns the exit code */
export async function keyGenerate(
  session: Session,
  options: { readonly phraseOut?: string | undefined },
): Promise<number> {
  const { output } = session
  const outlet = await choosePhraseOutlet(options.phraseOut, session)
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
