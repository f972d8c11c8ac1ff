import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTarget, remoteArgument, type Target } from './target.ts'

test.for<[string, Target]>([
  ['u@h:tipbot', { type: 'ssh', user: 'u', host: 'h', path: 'tipbot' }],
  ['h:/srv/backups/', { type: 'ssh', host: 'h', path: '/srv/backups' }],
  ['h:', { type: 'ssh', host: 'h', path: '' }],
  ['h:/', { type: 'ssh', host: 'h', path: '/' }],
  ['u@h:~/a b', { type: 'ssh', user: 'u', host: 'h', path: 'a b' }],
  ['u@[fe80::1]:x', { type: 'ssh', user: 'u', host: '[fe80::1]', path: 'x' }],
  ['rsync://h/module/a/b/', { type: 'daemon', host: 'h', module: 'module', path: 'a/b' }],
  [
    'rsync://u@h:8730/module',
    { type: 'daemon', user: 'u', host: 'h', port: 8730, module: 'module', path: '' },
  ],
  ['rsync://[::1]:8730/m/x', { type: 'daemon', host: '[::1]', port: 8730, module: 'm', path: 'x' }],
  ['u@h::module/dir', { type: 'daemon', user: 'u', host: 'h', module: 'module', path: 'dir' }],
])('%s is understood as rsync does', ([text, target]) => {
  expect(parseTarget(text)).toEqual(target)
})

test.for([
  '',
  'h',
  '/srv/backups',
  'rsync://h',
  'rsync://h/',
  'rsync:///m',
  'https://h/m',
  '-oProxyCommand=x:y',
  'u@-h:x',
])('%s is refused', (text) => {
  expect(() => parseTarget(text)).toThrow(TypeError)
})

test('a password in the target is refused, and not shown', () => {
  for (const text of ['rsync://u:hunter2@h/m', 'rsync://u:hunter2@h'])
    expect(() => parseTarget(text)).toThrow(/^(?!.*hunter2)/)
})

test('whatever is understood never becomes an option of ssh or rsync', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('-', 'u', '@', 'h', ':', '/', '[', ']', ' ', '\n', '~') }),
      (text) => {
        try {
          const target = parseTarget(text)
          expect(
            [remoteArgument(target, 'x'), target.host, target.user ?? 'u'].some((one) => one.startsWith('-')),
          ).toBe(false)
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError)
        }
      },
    ),
  )
})
