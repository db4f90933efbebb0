
/*
 * The subscription that makes Graph tell at once when a user has changed.
 * (It has none for devices.)
 *
 * It is kept as "<tag>,<id>,<expires>,<renewed>" where others have their
 * delta link.  The tag is of the hook's address and secret, which cannot be
 * changed in a subscription: for others a new one is made.  A round that is
 * asked for, as the hook does when Graph tells of the subscription's life,
 * renews it, which authorizes it again and shows whether it is still there.
 */

#include "pki_entra.h"
#include "pki_json.h"

#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>


#define PKI_ENTRA_HOOK_LIFE  (28 * 86400)   /* Graph: less than 29 days */
#define PKI_ENTRA_HOOK_TAG   9              /* eight digits */
#define PKI_ENTRA_HOOK_ID    64             /* a GUID so far */
#define PKI_ENTRA_HOOK_LINK  128
#define PKI_ENTRA_HOOK_URL   128


/* steps of a round */

enum {
    PKI_ENTRA_HOOK_BEGIN = 0,
    PKI_ENTRA_HOOK_CREATE,
    PKI_ENTRA_HOOK_RENEW
};


typedef struct {
    char        tag[PKI_ENTRA_HOOK_TAG];
    char        id[PKI_ENTRA_HOOK_ID];
    long long   expires;
    long long   renewed;
} pki_entra_hook_t;


static int pki_entra_hook_due(const pki_round_t *round,
    const pki_entra_hook_t *hook);
static pki_next_t pki_entra_hook_send(pki_round_t *round,
    const pki_entra_hook_t *hook);
static void pki_entra_hook_body(const pki_round_t *round,
    const pki_entra_hook_t *hook, pki_json_writer_t *w);
static pki_next_t pki_entra_hook_keep(pki_round_t *round);
static int pki_entra_hook_read(const pki_round_t *round,
    pki_entra_hook_t *hook);
static pki_rc_t pki_entra_hook_tag(const pki_directory_conf_t *conf,
    char *tag);


static const char  *const pki_entra_hook_top[] = {
    PKI_GRAPH_TOP, "id", "expirationDateTime", NULL
};

static const pki_page_shape_t  pki_entra_hook_shape = {
    NULL, NULL, pki_entra_hook_top
};


int
pki_entra_hook_wanted(const pki_directory_conf_t *conf)
{
    return conf->users && conf->hook_url != NULL;
}


pki_next_t
pki_entra_hook_next(pki_round_t *round)
{
    pki_entra_hook_t  hook;

    if (round->step == PKI_ENTRA_HOOK_BEGIN) {

        if (!pki_entra_hook_read(round, &hook)
            || hook.expires <= (long long) round->now)
        {
            return pki_entra_hook_send(round, NULL);
        }

        return pki_entra_hook_due(round, &hook)
               ? pki_entra_hook_send(round, &hook) : PKI_NEXT_DONE;
    }

    if (round->step == PKI_ENTRA_HOOK_RENEW && round->status == 404) {
        return pki_entra_hook_send(round, NULL);
    }

    if (!pki_graph_good(round)) {
        return pki_graph_refused(round, "a subscription");
    }

    return pki_entra_hook_keep(round);
}


/*
 * Graph may give less time than it was asked for; half of it must pass.  Who
 * asks for rounds without end gets one renewal a second.
 */

static int
pki_entra_hook_due(const pki_round_t *round, const pki_entra_hook_t *hook)
{
    long long  now = round->now;

    return now >= hook->renewed + (hook->expires - hook->renewed) / 2
           || (round->asked >= hook->renewed && now > hook->renewed);
}


/* hook NULL: a new one */

static pki_next_t
pki_entra_hook_send(pki_round_t *round, const pki_entra_hook_t *hook)
{
    char                url[PKI_ENTRA_HOOK_URL];
    pki_next_t          next;
    pki_bytes_t         body;
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return pki_round_fail(round, "no memory for a subscription");
    }

    pki_entra_hook_body(round, hook, w);

    if (pki_json_text(w, &body) != PKI_OK) {
        pki_json_destroy(w);
        return pki_round_fail(round, "no memory for a subscription");
    }

    (void) snprintf(url, PKI_ENTRA_HOOK_URL, "/v1.0/subscriptions%s%s",
                    hook ? "/" : "", hook ? hook->id : "");

    round->step = hook ? PKI_ENTRA_HOOK_RENEW : PKI_ENTRA_HOOK_CREATE;

    next = pki_round_post(round, &pki_entra_hook_shape,
                          hook ? "PATCH" : "POST", url, 0, body, NULL);

    pki_json_destroy(w);

    return next;
}


static void
pki_entra_hook_body(const pki_round_t *round, const pki_entra_hook_t *hook,
    pki_json_writer_t *w)
{
    pki_json_object(w);

    if (hook == NULL) {
        pki_json_name(w, "changeType");
        pki_json_string(w, "updated,deleted");
        pki_json_name(w, "resource");
        pki_json_string(w, "users");
        pki_json_name(w, "notificationUrl");
        pki_json_string(w, round->conf->hook_url);
        pki_json_name(w, "lifecycleNotificationUrl");
        pki_json_string(w, round->conf->hook_url);
        pki_json_name(w, "clientState");
        pki_json_string(w, round->conf->hook_secret);
    }

    pki_json_name(w, "expirationDateTime");
    pki_json_time(w, round->now + PKI_ENTRA_HOOK_LIFE);
    pki_json_object_end(w);
}


static pki_next_t
pki_entra_hook_keep(pki_round_t *round)
{
    char                tag[PKI_ENTRA_HOOK_TAG], text[PKI_ENTRA_HOOK_LINK];
    time_t              expires;
    pki_value_t         link;
    const pki_value_t  *id, *value;

    static const char   names[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";

    id = pki_page_top(round->page, PKI_GRAPH_OWN);
    value = pki_page_top(round->page, PKI_GRAPH_OWN + 1);

    if (id->type != PKI_VALUE_STRING || id->len == 0
        || id->len >= PKI_ENTRA_HOOK_ID
        || strspn(id->string, names) != id->len
        || value->type != PKI_VALUE_STRING
        || pki_time_iso(value->string, value->len, &expires) != PKI_OK
        || expires <= round->now)
    {
        return pki_round_fail(round, "a subscription without an id, or that "
                              "has expired");
    }

    if (pki_entra_hook_tag(round->conf, tag) != PKI_OK) {
        return pki_round_fail(round, "no memory for a subscription");
    }

    (void) snprintf(text, PKI_ENTRA_HOOK_LINK, "%s,%s,%lld,%lld", tag,
                    id->string, (long long) expires,
                    (long long) round->now);

    link.type = PKI_VALUE_STRING;
    link.string = text;
    link.len = strlen(text);

    return pki_round_link(round, &link) == PKI_NEXT_FAIL
           ? PKI_NEXT_FAIL : PKI_NEXT_DONE;
}


static int
pki_entra_hook_read(const pki_round_t *round, pki_entra_hook_t *hook)
{
    int   n;
    char  tag[PKI_ENTRA_HOOK_TAG];

    if (round->link == NULL
        || pki_entra_hook_tag(round->conf, tag) != PKI_OK)
    {
        return 0;
    }

    n = 0;

    return sscanf(round->link, "%8[0-9a-f],%63[A-Za-z0-9-],%12lld,%12lld%n",
                  hook->tag, hook->id, &hook->expires, &hook->renewed, &n)
           == 4
           && round->link[n] == '\0'
           && strcmp(hook->tag, tag) == 0;
}


/* 32 bits tell a new secret from the old one, and do not tell the secret */

static pki_rc_t
pki_entra_hook_tag(const pki_directory_conf_t *conf, char *tag)
{
    int             ok;
    EVP_MD_CTX     *md;
    const char     *secret;
    unsigned char   digest[EVP_MAX_MD_SIZE];

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return PKI_ERROR;
    }

    secret = conf->hook_secret ? conf->hook_secret : "";

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, conf->hook_url, strlen(conf->hook_url) + 1)
         && EVP_DigestUpdate(md, secret, strlen(secret))
         && EVP_DigestFinal_ex(md, digest, NULL);

    EVP_MD_CTX_free(md);

    if (!ok) {
        return PKI_ERROR;
    }

    (void) snprintf(tag, PKI_ENTRA_HOOK_TAG, "%02x%02x%02x%02x", digest[0],
                    digest[1], digest[2], digest[3]);

    return PKI_OK;
}
