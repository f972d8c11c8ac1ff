import { type HttpRequest, hostOf } from './http.ts'
import { levelOf, type Notice, textOf, titleOf } from './notice.ts'

/** How a message is written for whom: `generic` is JSON with everything in it. */
export type WebhookFormat = 'generic' | 'slack' | 'discord' | 'telegram' | 'ntfy'

/** Discord takes 2,000 characters, Telegram 4,096. */
const MAX_TEXT = 1900

/** The shape for a host, where nobody says which. */
export function formatOf(url: string): WebhookFormat {
  const host = hostOf(url).replace(/:\d+$/, '')
  if (host === 'hooks.slack.com') return 'slack'
  if (host === 'discord.com' || host === 'discordapp.com') return 'discord'
  if (host === 'api.telegram.org') return 'telegram'
  return host === 'ntfy.sh' || host.startsWith('ntfy.') ? 'ntfy' : 'generic'
}

/**
 * What is posted.
 * @param origin - the vault and the host
 * @see https://api.slack.com/messaging/webhooks https://discord.com/developers/docs/resources/webhook
 * https://core.telegram.org/bots/api#sendmessage https://docs.ntfy.sh/publish/
 */
export function webhookRequest(
  url: string,
  format: WebhookFormat,
  origin: string,
  notices: readonly Notice[],
): Omit<HttpRequest, 'signal'> {
  const title = titleOf(origin, notices)
  const text = textOf(notices)
  const short = cut(`${title}\n\n${text}`)
  const level = levelOf(notices)
  const json = (body: object) => ({
    url,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
  switch (format) {
    case 'slack':
      // These three are what Slack's own markup begins with: https://docs.slack.dev/messaging/formatting-message-text/#escaping
      return json({
        text: short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
      })
    case 'discord':
      return json({ content: short, allowed_mentions: { parse: [] } })
    case 'telegram':
      // chat_id comes with the address: …/sendMessage?chat_id=…
      return json({ text: short, disable_web_page_preview: true })
    case 'ntfy': {
      const isBad = level === 'failure' || level === 'warning'
      const headers = {
        title: ascii(title),
        priority: level === 'failure' ? 'high' : 'default',
        tags: isBad ? 'warning' : 'white_check_mark',
      }
      return { url, body: cut(text), headers }
    }
    case 'generic':
      return json({ program: 'pipe-backup', origin, level, title, text, notices })
  }
}

function cut(text: string): string {
  // Half of a character is refused, by Telegram for one.
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** A header holds no more. */
function ascii(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
