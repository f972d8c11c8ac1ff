/** What a WebDAV URL of a Nextcloud says. */
export interface NextcloudPlace {
  /** Of the server, with the path where Nextcloud is. */
  readonly server: string
  /** Below the user's files. */
  readonly path: string
}

/** @throws TypeError when it is no address. @returns where Nextcloud is, with a `/` at the end */
export function serverUrl(server: string): URL {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `https://${server}`
  if (!URL.canParse(text)) throw new TypeError('nextcloud: `server` is a host: cloud.example.com')
  const url = new URL(text)
  if (!/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new TypeError('nextcloud: `server` is a host: cloud.example.com, or https://host/path')
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('nextcloud: `server` has credentials in it: they belong into `user` and `password`')
  }
  // The address of its web pages, or that of WebDAV, as people copy them.
  const root = url.pathname.replace(/\/(?:index|remote)\.php(?:\/.*)?$/, '')
  url.pathname = `${root.replace(/\/+$/, '')}/`
  return url
}

/**
 * Whether a WebDAV URL is that of a user's files on a Nextcloud or ownCloud.
 * @returns undefined when it is not: other servers, and public shares
 */
export function nextcloudPlace(url: string): NextcloudPlace | undefined {
  if (!URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  const [, root, path] = /^(.*?)\/remote\.php\/(?:dav\/files\/[^/]+|webdav)(?:\/(.*))?$/.exec(pathname) ?? []
  if (root === undefined) return undefined
  return { server: origin + root, path: decoded(path ?? '').replace(/^\/+|\/+$/g, '') }
}

/** One that is not encoded as it should be is a path as people write it: `100%`. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
