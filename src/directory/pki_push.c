
/*
 * A directory that nobody polls: somebody else knows its objects, and tells
 * their states by REST (pki_state_push).
 */

#include "pki_dialect.h"


const pki_dialect_t  pki_push = {
    .name = "push",
    .classes = 1 << PKI_OBJECT_DEVICE | 1 << PKI_OBJECT_USER
               | 1 << PKI_OBJECT_JAMF_COMPUTER | 1 << PKI_OBJECT_JAMF_DEVICE
               | 1 << PKI_OBJECT_JAMF_USER
};
