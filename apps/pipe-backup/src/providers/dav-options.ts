import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { ConfigError } from '../config/config-error.ts'
import { filePath } from '../config/values.ts'

/** What sinks that are reached by WebDAV have in common. */
export const davShape: {
  readonly ca: z.ZodOptional<z.ZodType<string, string>>
  readonly plainHttp: z.ZodOptional<z.ZodBoolean>
} = {
  ca: filePath
    .optional()
    .describe("PEM file of the authorities that vouch for the server. Default: the system's"),
  plainHttp: z
    .boolean()
    .optional()
    .describe('Show the password to a server without TLS, where anybody on the way can read it'),
}

interface DavConfig {
  readonly ca?: string | undefined
  readonly plainHttp?: boolean | undefined
}

interface DavContext {
  readonly name: string
  readonly path: (value: string) => string
}

/** @throws ConfigError for a file that can't be read */
export async function davOptions(
  { ca, plainHttp }: DavConfig,
  { name, path }: DavContext,
): Promise<{ readonly ca?: string | undefined; readonly plainHttp?: boolean | undefined }> {
  return {
    ...(ca !== undefined && { ca: await readCertificates(path(ca), name) }),
    plainHttp,
  }
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
