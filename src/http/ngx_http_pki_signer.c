
/*
 * An issuer's signer in this process.
 *
 * "responder ca" and "responder file" have theirs from the configuration.
 * A delegated one is issued by each worker for itself and lives in its
 * memory only.  It is renewed, with the same key, when a quarter of its
 * life is left; when that fails, the old one serves until it ends, and the
 * attempt is repeated at most once a second.
 */

#include "ngx_http_pki_module.h"


static void ngx_http_pki_signer_renew(ngx_http_pki_issuer_t *issuer,
    ngx_http_pki_slot_t *slot, time_t now, ngx_log_t *log);


pki_signer_t *
ngx_http_pki_signer(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, ngx_log_t *log)
{
    time_t                now;
    pki_signer_t         *signer;
    ngx_http_pki_slot_t  *slot;

    now = ngx_time();
    slot = &mcf->worker->slots[issuer->index];

    if (issuer->responder == NGX_HTTP_PKI_RESPONDER_AUTO) {
        ngx_http_pki_signer_renew(issuer, slot, now, log);
        signer = slot->signer;

    } else {
        signer = issuer->signer;
    }

    if (signer && pki_signer_valid(signer, now)) {
        return signer;
    }

    if (slot->logged_at != now) {
        slot->logged_at = now;
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "pki issuer \"%V\": no valid responder certificate",
                      &issuer->name);
    }

    return NULL;
}


static void
ngx_http_pki_signer_renew(ngx_http_pki_issuer_t *issuer,
    ngx_http_pki_slot_t *slot, time_t now, ngx_log_t *log)
{
    pki_err_t      err;
    pki_signer_t  *signer;

    if (slot->signer
        && pki_signer_not_after(slot->signer) - now
           >= issuer->responder_valid / 4)
    {
        return;
    }

    if (slot->tried_at == now) {
        return;
    }

    slot->tried_at = now;

    signer = pki_signer_issue(issuer->ca, issuer->responder_key, slot->signer,
                              now, issuer->responder_backdate,
                              issuer->responder_valid, &err);

    if (signer == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "pki issuer \"%V\": issuing a responder certificate "
                      "failed: %s", &issuer->name, err.text);
        return;
    }

    pki_signer_free(slot->signer);
    slot->signer = signer;

    issuer->sh->signer_not_after = pki_signer_not_after(signer);
}
