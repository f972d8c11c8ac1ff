/** The code of an error of node:fs for EDQUOT, for which Node has no name. Of Linux, see errno(3). */
export const QUOTA_EXCEEDED = 'Unknown system error -122'
