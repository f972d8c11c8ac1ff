import { createInterface } from 'node:readline/promises'

/** Asks whether a vault is the one that a recipient's phrase is for. @returns false where there is nobody to ask */
export async function confirmVault(vaultId: string): Promise<boolean> {
  const { stdin, stderr } = process
  if (!stdin.isTTY || !stderr.isTTY) return false
  const asking = createInterface({ input: stdin, output: stderr })
  try {
    const question = `This phrase was granted vault ${vaultId}. Is that the id that the owner of the vault told you? (yes/no) `
    return (await asking.question(question)).trim().toLowerCase() === 'yes'
  } finally {
    asking.close()
  }
}
