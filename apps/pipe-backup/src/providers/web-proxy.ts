/** The variables that name the proxy for TLS: of every sink that is reached by HTTP. */
export function webProxy(): readonly string[] {
  return ['HTTPS_PROXY', 'https_proxy']
}
