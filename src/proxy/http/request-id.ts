/** The header field that names a request, towards application and client (contract 6.1). */
export const REQUEST_ID = "x-amzn-requestid";
