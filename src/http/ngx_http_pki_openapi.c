
/*
 * GET openapi.json: the description of the calls, src/http/openapi.json as it
 * stands.  The build script makes lines of C of it.
 */

#include "ngx_http_pki_module.h"


static const char  ngx_http_pki_openapi_text[] =
#include "ngx_http_pki_openapi_json.h"
;


ngx_int_t
ngx_http_pki_openapi(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    static ngx_str_t  type = ngx_string("application/json");
    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("max-age=300");

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_pki_count(&a->mcf->zone, NGX_HTTP_PKI_STAT_API_OK, 1);

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type,
                              (u_char *) ngx_http_pki_openapi_text,
                              sizeof(ngx_http_pki_openapi_text) - 1);
}
