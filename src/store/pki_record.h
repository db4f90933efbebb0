
/*
 * The text of names and records, for the store floor only: what a verb
 * writes and what Redis gave back.  The readers of whole records stand in
 * pki_store.h.
 */

#ifndef PKI_RECORD_H
#define PKI_RECORD_H


#include "pki_store.h"


#define PKI_RECORD_TIME_MAX   253402300799LL    /* end of the year 9999 */
#define PKI_RECORD_STATE_MAX  0xffff            /* room for later bits */
#define PKI_RECORD_OFFSET_MAX 0xffffffffLL      /* in a page, and of a line */
#define PKI_RECORD_SIZE       (PKI_STORE_WHO_MAX + 96)
#define PKI_RECORD_KEY_SIZE   (PKI_OWNER_SIZE + 16)


/*
 * Copies what a person wrote to dst[PKI_STORE_WHO_MAX + 1] so that it can
 * end a record: spaces in front are dropped, control characters become '?',
 * and what is too long is cut before a whole UTF-8 character.  src may be
 * NULL.
 */
void pki_record_clean(char *dst, const char *src);

/* Writes "pki:{name}:", kind and id to key[PKI_RECORD_KEY_SIZE]. */
void pki_record_key(char *key, const char *name, const char *kind,
    const char *id);

int pki_record_serial_valid(const pki_serial_t *serial);

int pki_record_time_valid(time_t t);

/* 1 .. max octets without controls and, unless `spaces`, without spaces. */
int pki_record_text_valid(const char *text, size_t max, int spaces);

/* The id fits its owner's name, and has neither spaces nor controls. */
int pki_record_id_valid(const char *directory, const char *id);

/*
 * Reads a whole text as a decimal number of 0 .. max, without a sign or
 * leading zeros.
 */
pki_rc_t pki_record_number(pki_bytes_t text, long long max, long long *value);


#endif /* PKI_RECORD_H */
