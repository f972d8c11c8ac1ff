import type { HttpBindings } from '@hono/node-server'
import type { Refusal } from '@pipe-backup/ui/api'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { redact } from '../secrets/redact.ts'
import { describeFailure } from '../terminal/report-error.ts'
import type { Access } from './access.ts'
import { LockedError } from './locked-error.ts'
import type { PageFile } from './page-files.ts'
import { createRoutes, type Served } from './routes.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

/** Far more than a phrase needs, or two paths that are as long as a system has them. */
const MAX_BODY_BYTES = 16 * 1024

/** Of failures whose kind has one of its own; else what was asked for could not be done (422), or was wrong (400). */
const STATUS: Readonly<Record<string, 404 | 409>> = { 'not-found': 404, locked: 409 }

/** The page and what it asks for, for those who may have it. */
export function createApp(
  served: Served,
  access: Access,
  files: ReadonlyMap<string, PageFile>,
): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.header(name, value)
    await next()
  })
  app.use(access.guard)
  app.use(
    bodyLimit({
      maxSize: MAX_BODY_BYTES,
      onError: (c) => refusal(c, 413, { code: 'usage', message: 'the request is too long' }),
    }),
  )
  app.route('/api', createRoutes(served))
  app.get('*', (c) => {
    const file = files.get(c.req.path)
    if (!file) return c.notFound()
    return c.body(file.body, 200, { 'Content-Type': file.type })
  })
  app.notFound((c) => refusal(c, 404, { code: 'not-found', message: 'there is nothing here' }))
  app.onError((error, c) => {
    if (error instanceof LockedError) return refusal(c, 423, { code: error.code, message: error.message })
    if (error instanceof SyntaxError && c.req.method === 'POST')
      return refusal(c, 400, { code: 'usage', message: 'the request is no JSON' })
    const { code, lines, hint, stack, exitCode } = describeFailure(error)
    if (stack !== undefined)
      served.ui.cli.output.error(`this is a bug in pipe-backup; please report it with this text:\n${stack}`)
    const status = stack !== undefined ? 500 : (STATUS[code] ?? (exitCode === 2 ? 400 : 422))
    return refusal(c, status, {
      code,
      message: redact(lines.join('\n')),
      ...(hint !== undefined && { hint: redact(hint) }),
    })
  })
  return app
}

function refusal(
  c: Context,
  status: 400 | 404 | 409 | 413 | 422 | 423 | 500,
  error: Refusal['error'],
): Response {
  return c.json({ error } satisfies Refusal, status)
}
