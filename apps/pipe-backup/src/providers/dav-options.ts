import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ConfigError } from '../config/config-error.ts'
import { ifSet } from '../config/if-set.ts'
import { filePath } from '../config/values.ts'

/** What sinks that are reached by WebDAV have in common. */
export const davShape = {
  ca: filePath
    .optional()
    .describe("PEM file of the authorities that vouch for the server. Default: the system's"),
  plainHttp: z
    .boolean()
    .optional()
    .describe('Show the password to a server without TLS, where anybody on the way can read it'),
}

type DavConfig = z.output<z.ZodObject<typeof davShape>>

/** @throws ConfigError for a file that can't be read */
export async function davOptions(
  { ca, plainHttp }: DavConfig,
  { name, path }: { readonly name: string; readonly path: (value: string) => string },
): Promise<DavConfig> {
  return { ca: await ifSet(ca, (file) => readCertificates(path(file), name)), plainHttp }
}

async function readCertificates(path: string, sink: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    const message = `sink "${sink}": ca: ${path} can't be read (${code})`
    throw new ConfigError({ code: 'unreadable', message }, { cause })
  }
}
