import { type FailureMeaning, networkMeaning, readBody, retryAfterOf, statusMeaning } from '@pipe-backup/http'
import { SinkError } from '@pipe-backup/sink'
import type { HttpAnswer } from './http-client.ts'

export interface ErrorPlace {
  readonly sink: string
  readonly key?: string | undefined
}

const LOGIN =
  'Check `user` and `password`; where the login has a second factor, make an app password for this.'

/** What a status says of WebDAV besides: none of them makes another try worth more, or less. */
const WORDS: Readonly<Record<number, Partial<FailureMeaning>>> = {
  401: { hint: LOGIN },
  403: { hint: 'Check what the user may do there.' },
  409: { what: 'the collection that it belongs to is not there' },
  411: {
    what: 'the server takes no stream of unknown length',
    hint: 'Have its administrator allow chunked requests.',
  },
}

const MESSAGE_BYTES = 16 * 1024
const SAID_CHARACTERS = 200

/** What an error of Node.js means for a sink. What is no failure of the server's is given back as it is. */
export function toSinkError(cause: unknown, { sink, key }: ErrorPlace): unknown {
  if (!(cause instanceof Error) || cause.name === 'SinkError' || cause.name === 'AbortError') return cause
  const meaning = networkMeaning(cause)
  if (!meaning) return cause
  const { code, what, hint } = meaning
  return new SinkError(code, what, { sink, key, hint, cause })
}

/** What an answer means that is none of those hoped for. It is read to its end. */
export async function statusError(answer: HttpAnswer, { sink, key }: ErrorPlace): Promise<SinkError> {
  const { status, headers, method } = answer
  const said = messageOf(String((await readBody(answer.body, MESSAGE_BYTES)).bytes), headers['content-type'])
  const { code, what, hint } = meaningOf(answer)
  const retryAfterMs = retryAfterOf(headers['retry-after'])
  const detail = `${method} ${status}${said === '' ? '' : `: ${said}`}`
  return new SinkError(code, what, {
    sink,
    key,
    hint,
    retryAfterMs,
    // What a server says in its own words goes here: the line that people see is ours.
    cause: new Error(detail),
  })
}

function meaningOf({ status, headers, url, learnt, method }: HttpAnswer): FailureMeaning {
  if (learnt === 'would-show') {
    const hint = 'Use https:, or set `plainHttp: true` where nobody else can listen.'
    return { code: 'unauthorized', what: 'the password would travel in the clear', hint }
  }
  if (status >= 300 && status < 400) {
    const to = locationOf(headers.location, url)
    const hint =
      to === undefined ? 'Check the address.' : `If that is right, write ${to} in the configuration.`
    return { code: 'protocol', what: `the server sends elsewhere (${status}); nothing is sent there`, hint }
  }
  if (status === 405) {
    // What answers so to a PROPFIND is no collection; one that has answered it lacks the rest.
    const hint =
      method === 'PROPFIND'
        ? 'Is the address that of a WebDAV collection?'
        : `Have its administrator allow ${method}.`
    return { code: 'protocol', what: `the server does not do ${method} here`, hint }
  }
  const meant = statusMeaning(status)
  if (meant) return { ...meant, ...WORDS[status] }
  return {
    code: 'protocol',
    what: `the server’s answer is not what it should be (${status})`,
    hint: 'Is the address that of a WebDAV collection?',
  }
}

/** Without what a URL may hold of secrets. */
function locationOf(location: string | undefined, base: URL): string | undefined {
  if (location === undefined || !URL.canParse(location, base.href)) return undefined
  const { origin, pathname } = new URL(location, base)
  return origin + pathname
}

/** sabre/dav, and so Nextcloud, says what is wrong in XML. */
function messageOf(text: string, type = ''): string {
  if (!/xml/.test(type)) return ''
  const message = /<(?:\w+:)?message[^>]*>([^<]*)</.exec(text)?.[1] ?? ''
  return message.replace(/\s+/g, ' ').trim().slice(0, SAID_CHARACTERS)
}
