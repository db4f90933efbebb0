
/*
 * The dialects by name, which resources of a directory speak of an object,
 * and what all dialects need to read an item.
 */

#include "pki_dialect.h"

#include <string.h>


#define PKI_ITEM_NUMBER_MAX  20         /* digits of 2^64 - 1 */
#define PKI_DIALECT_DRIFT    100        /* one of so many records may come or
                                           go while they are listed */


static int pki_item_unreserved(char ch);
static int pki_item_name(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const char *text, size_t len);


static const pki_dialect_t  *const pki_dialects[] = {
    &pki_entra,
    &pki_intune,
    &pki_jamf,
    &pki_scim,
    &pki_push,
    NULL
};


const pki_dialect_t *
pki_dialect_find(const char *name)
{
    unsigned  i;

    for (i = 0; pki_dialects[i]; i++) {
        if (strcmp(pki_dialects[i]->name, name) == 0) {
            return pki_dialects[i];
        }
    }

    return NULL;
}


unsigned
pki_dialect_resources(const pki_directory_conf_t *conf,
    pki_object_class_t class, const char *names[PKI_STORE_RESOURCES])
{
    unsigned               i, n;
    const pki_resource_t  *resource;

    for (i = 0; i < PKI_STORE_RESOURCES; i++) {
        names[i] = NULL;
    }

    resource = conf->dialect->resources;

    if (resource == NULL) {

        if (!(conf->classes & (1u << class))) {
            return 0;
        }

        names[0] = "push";
        return 1;
    }

    n = 0;

    for ( /* void */ ; resource->name && n < PKI_STORE_RESOURCES; resource++) {
        if ((resource->classes & (1u << class))
            && (resource->wanted == NULL || resource->wanted(conf)))
        {
            names[n++] = resource->name;
        }
    }

    return n;
}


unsigned
pki_dialect_unwanted(const pki_directory_conf_t *conf,
    pki_object_class_t class)
{
    unsigned               wanted, unwanted;
    const pki_resource_t  *resource;

    wanted = 0;
    unwanted = 0;
    resource = conf->dialect->resources;

    for ( /* void */ ; resource && resource->name; resource++) {
        if (!(resource->classes & (1u << class))) {
            continue;
        }

        if (resource->wanted == NULL || resource->wanted(conf)) {
            wanted |= resource->mask;

        } else {
            unwanted |= resource->mask;
        }
    }

    return unwanted & ~wanted;
}


int
pki_round_near(long long first, long long total)
{
    return total - first <= first / PKI_DIALECT_DRIFT
           && first - total <= first / PKI_DIALECT_DRIFT;
}


pki_rc_t
pki_item_guid(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const pki_value_t *value)
{
    char           text[37];
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    if (value->type != PKI_VALUE_STRING
        || pki_guid_from_text(value->string, value->len, guid) != PKI_OK)
    {
        return PKI_INVALID;
    }

    pki_guid_to_text(guid, text);

    return pki_item_name(id, class, text, strlen(text))
           ? PKI_OK : PKI_INVALID;
}


/* Jamf's numbers are strings in some replies and integers in others. */

pki_rc_t
pki_item_number(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const pki_value_t *value)
{
    char                buf[PKI_ITEM_NUMBER_MAX], *p;
    size_t              i, len;
    const char         *text;
    unsigned long long  n;

    if (value->type == PKI_VALUE_INTEGER) {

        if (value->integer < 0) {
            return PKI_INVALID;
        }

        n = (unsigned long long) value->integer;
        p = buf + sizeof(buf);

        do {
            *--p = (char) ('0' + n % 10);
            n /= 10;
        } while (n);

        return pki_item_name(id, class, p, (size_t) (buf + sizeof(buf) - p))
               ? PKI_OK : PKI_INVALID;
    }

    if (value->type != PKI_VALUE_STRING || value->len == 0) {
        return PKI_INVALID;
    }

    text = value->string;
    len = value->len;
    n = 0;

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9'
            || n > (UINT64_MAX - (unsigned) (text[i] - '0')) / 10)
        {
            return PKI_INVALID;
        }

        n = n * 10 + (unsigned) (text[i] - '0');
    }

    while (len > 1 && *text == '0') {
        text++;
        len--;
    }

    return pki_item_name(id, class, text, len) ? PKI_OK : PKI_INVALID;
}


static int
pki_item_name(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const char *text, size_t len)
{
    size_t  n;

    n = strlen(class);

    if (n + 1 + len >= PKI_OBJECT_ID_SIZE) {
        return 0;
    }

    memcpy(id, class, n);
    id[n] = '/';
    memcpy(id + n + 1, text, len);
    id[n + 1 + len] = '\0';

    return 1;
}


/* RFC 3986, 2.3: all but the unreserved is encoded */

pki_rc_t
pki_item_escape(char *dst, size_t size, const char *value)
{
    static const char  hex[] = "0123456789ABCDEF";

    /* RFC 3986, 5.2.4: such a segment leads elsewhere, also when escaped */

    if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0) {
        return PKI_INVALID;
    }

    for ( /* void */ ; *value; value++) {

        if (pki_item_unreserved(*value)) {
            if (size < 2) {
                return PKI_INVALID;
            }

            *dst++ = *value;
            size--;
            continue;
        }

        if (size < 4) {
            return PKI_INVALID;
        }

        *dst++ = '%';
        *dst++ = hex[(unsigned char) *value >> 4];
        *dst++ = hex[(unsigned char) *value & 15];
        size -= 3;
    }

    if (size == 0) {
        return PKI_INVALID;
    }

    *dst = '\0';

    return PKI_OK;
}


static int
pki_item_unreserved(char ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9')
           || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}
