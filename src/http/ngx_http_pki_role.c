
/*
 * Names of roles, and what several grants are worth together.
 *
 * A caller may have one role for some issuers and another for others, as a
 * token with two values in its claim has.  A call is checked with one set
 * of roles and one of issuers, so these are chosen for the call.
 */

#include "ngx_http_pki_module.h"


static u_char *ngx_http_pki_role_word(u_char **p, u_char *last, size_t *len);
static ngx_uint_t ngx_http_pki_role_first(ngx_http_pki_grant_t *grants,
    ngx_uint_t n, ngx_uint_t needed);


/* in the order in which a grant is looked for: see _role_first() */

static struct {
    ngx_str_t    name;
    ngx_uint_t   bit;
    ngx_uint_t   roles;             /* with what it includes */
} ngx_http_pki_roles[] = {

    { ngx_string("read"), NGX_HTTP_PKI_ROLE_READ,
      NGX_HTTP_PKI_ROLE_READ },

    { ngx_string("manage"), NGX_HTTP_PKI_ROLE_MANAGE,
      NGX_HTTP_PKI_ROLE_MANAGE|NGX_HTTP_PKI_ROLE_READ },

    { ngx_string("enroll"), NGX_HTTP_PKI_ROLE_ENROLL,
      NGX_HTTP_PKI_ROLE_ENROLL },

    { ngx_string("self-service"), NGX_HTTP_PKI_ROLE_SELF,
      NGX_HTTP_PKI_ROLE_SELF },

    { ngx_string("admin"), NGX_HTTP_PKI_ROLE_ADMIN,
      NGX_HTTP_PKI_ROLE_ALL },

    { ngx_null_string, 0, 0 }
};


ngx_int_t
ngx_http_pki_role_read(u_char *p, size_t len, ngx_uint_t *roles)
{
    size_t       n;
    u_char      *last, *word;
    ngx_uint_t   i;

    *roles = 0;
    last = p + len;

    do {
        word = ngx_http_pki_role_word(&p, last, &n);

        for (i = 0; ngx_http_pki_roles[i].bit; i++) {
            if (ngx_http_pki_roles[i].name.len == n
                && ngx_strncmp(ngx_http_pki_roles[i].name.data, word, n) == 0)
            {
                break;
            }
        }

        if (ngx_http_pki_roles[i].bit == 0) {
            return NGX_ERROR;
        }

        *roles |= ngx_http_pki_roles[i].roles;

    } while (p <= last);

    return NGX_OK;
}


ngx_array_t *
ngx_http_pki_role_issuers(ngx_pool_t *pool, u_char *p, size_t len)
{
    u_char       *last;
    ngx_str_t    *name;
    ngx_array_t  *issuers;

    last = p + len;

    issuers = ngx_array_create(pool, 2, sizeof(ngx_str_t));
    if (issuers == NULL) {
        return NULL;
    }

    do {
        name = ngx_array_push(issuers);
        if (name == NULL) {
            return NULL;
        }

        name->data = ngx_http_pki_role_word(&p, last, &name->len);

    } while (p <= last);

    return issuers;
}


/* up to a comma, without the blanks around it; p is behind the comma */

static u_char *
ngx_http_pki_role_word(u_char **p, u_char *last, size_t *len)
{
    u_char  *word, *end;

    word = *p;

    end = word < last ? ngx_strlchr(word, last, ',') : NULL;
    if (end == NULL) {
        end = last;
    }

    *p = end + 1;

    while (word < end && *word == ' ') {
        word++;
    }

    while (end > word && end[-1] == ' ') {
        end--;
    }

    *len = end - word;

    return word;
}


ngx_int_t
ngx_http_pki_role_choose(ngx_pool_t *pool, ngx_http_pki_grant_t *grants,
    ngx_uint_t n, ngx_uint_t needed, ngx_http_pki_grant_t *grant)
{
    ngx_str_t   *name;
    ngx_uint_t   i, k, bit, all;

    bit = ngx_http_pki_role_first(grants, n, needed);

    if (bit == 0) {
        return NGX_DECLINED;
    }

    all = 0;

    grant->roles = NGX_HTTP_PKI_ROLE_ALL;
    grant->issuers = ngx_array_create(pool, 2, sizeof(ngx_str_t));

    if (grant->issuers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (!(grants[i].roles & bit)) {
            continue;
        }

        grant->roles &= grants[i].roles;

        if (grants[i].issuers == NULL) {
            all = 1;
            continue;
        }

        for (k = 0; k < grants[i].issuers->nelts; k++) {
            name = ngx_array_push(grant->issuers);
            if (name == NULL) {
                return NGX_ERROR;
            }

            *name = ((ngx_str_t *) grants[i].issuers->elts)[k];
        }
    }

    if (all) {
        grant->issuers = NULL;
    }

    return NGX_OK;
}


/* the first of the needed roles that any grant has; 0: there is none */

static ngx_uint_t
ngx_http_pki_role_first(ngx_http_pki_grant_t *grants, ngx_uint_t n,
    ngx_uint_t needed)
{
    ngx_uint_t  i, k;

    for (i = 0; ngx_http_pki_roles[i].bit; i++) {

        if (!(needed & ngx_http_pki_roles[i].bit)) {
            continue;
        }

        for (k = 0; k < n; k++) {
            if (grants[k].roles & ngx_http_pki_roles[i].bit) {
                return ngx_http_pki_roles[i].bit;
            }
        }
    }

    return 0;
}
