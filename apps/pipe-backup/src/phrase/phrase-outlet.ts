import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CliContext } from '../cli-context.ts'
import { isTaken, writeSecureFile } from '../host/secure-file.ts'
import { UsageError } from '../usage-error.ts'
import { phraseGrid } from './phrase-grid.ts'
import { vaultLine } from './read-phrase.ts'

/** Where a new recovery phrase goes. */
export interface PhraseOutlet {
  /** The file that it is written to, if it is. */
  readonly file?: string | undefined
  /** True when standard output is to hold the phrase and nothing else. */
  readonly onStdout: boolean
  /** Lets it out, before there is a vault. @param vaultId - of the vault that it is for, where that is not plain from the phrase @returns how to take it back, where that is possible */
  give(phrase: string, vaultId?: string): Promise<() => Promise<void>>
  /** What a JSON result says of it. */
  json(): Readonly<Record<string, string>>
}

/**
 * Decides where a new phrase goes, before anything is made: the file that was named, or the terminal.
 * @param phraseOut - from --phrase-out; `-` is standard output, even where it is no terminal
 * @param takenHint - what to do when the file is there already
 * @throws UsageError where it would be lost or land in a log, or where the file is there already
 */
export async function choosePhraseOutlet(
  phraseOut: string | undefined,
  cli: CliContext,
  takenHint?: (file: string) => string,
): Promise<PhraseOutlet> {
  if (phraseOut === '-') return toStdout(cli.output.json)
  if (phraseOut !== undefined) return await toFile(resolve(cli.machine.cwd, phraseOut), takenHint)
  if (process.stdout.isTTY && !cli.output.json) return toTerminal()
  throw new UsageError(
    'the recovery phrase has nowhere to go: standard output is no terminal',
    'Give --phrase-out FILE, and keep that file elsewhere. Nothing was made.',
  )
}

function lineOf(vaultId: string | undefined): string {
  return vaultId === undefined ? '' : vaultLine(vaultId)
}

function toTerminal(): PhraseOutlet {
  return {
    onStdout: false,
    give: (phrase, vaultId) => {
      process.stdout.write(`${phraseGrid(phrase)}\n${lineOf(vaultId)}`)
      return Promise.resolve(async () => {
        process.stdout.write('Nothing was made: this phrase opens nothing.\n')
      })
    },
    json: () => ({}),
  }
}

/** Somebody asked for it, so that a script can put it where it belongs. */
function toStdout(json: boolean): PhraseOutlet {
  let given = ''
  return {
    onStdout: true,
    give: (phrase, vaultId) => {
      given = phrase
      if (!json) process.stdout.write(`${phrase}\n${lineOf(vaultId)}`)
      return Promise.resolve(() => Promise.resolve())
    },
    json: () => ({ phrase: given }),
  }
}

async function toFile(file: string, takenHint?: (file: string) => string): Promise<PhraseOutlet> {
  if (await isTaken(file)) {
    const what = `${file} is there already; a recovery phrase never replaces anything`
    throw new UsageError(what, takenHint?.(file))
  }
  return {
    file,
    onStdout: false,
    give: async (phrase, vaultId) => {
      await writeSecureFile(file, `${phrase}\n${lineOf(vaultId)}`)
      return () => rm(file, { force: true })
    },
    json: () => ({ phraseFile: file }),
  }
}
