import { useEffect, useState } from 'preact/hooks'

/** Where in the page one is: `#/browse/3f0a…/d2FsbGV0` is the view and what it shows. */
export interface Route {
  readonly view: string
  readonly rest: readonly string[]
}

function routeOf(hash: string): Route {
  const [view = '', ...rest] = hash.replace(/^#\/?/, '').split('/')
  return { view: view === '' ? 'overview' : view, rest }
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash))
  useEffect(() => {
    const changed = (): void => setRoute(routeOf(location.hash))
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return route
}

export function linkTo(view: string, ...rest: readonly string[]): string {
  return `#/${[view, ...rest].join('/')}`
}
