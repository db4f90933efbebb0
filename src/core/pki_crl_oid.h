
/*
 * What both who writes CRLs and who reads them must know of their form
 * (RFC 5280, 5).  For pki_crl.c and pki_crl_read.c only.
 */

#ifndef PKI_CRL_OID_H
#define PKI_CRL_OID_H


#define PKI_CRL_V2          1

/* all extensions of a CRL are id-ce: 2.5.29 and a number */

#define PKI_CRL_OID_ARC     0x55, 0x1d
#define PKI_CRL_OID_LEN     3

#define PKI_CRL_NUMBER      20          /* cRLNumber */
#define PKI_CRL_REASON      21          /* reasonCode, of an entry */
#define PKI_CRL_INVALIDITY  24          /* invalidityDate, of an entry */
#define PKI_CRL_DELTA       27          /* deltaCRLIndicator */
#define PKI_CRL_SCOPE       28          /* issuingDistributionPoint */
#define PKI_CRL_KEY_ID      35          /* authorityKeyIdentifier */
#define PKI_CRL_FRESHEST    46          /* freshestCRL */

#define PKI_CRL_UTC_TIME    0x17
#define PKI_CRL_UTC_LEN     13          /* YYMMDDHHMMSSZ */
#define PKI_CRL_UTC_LAST    2524607999LL    /* 2049-12-31 23:59:59 */


#endif /* PKI_CRL_OID_H */
