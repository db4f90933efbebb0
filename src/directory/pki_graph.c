
/*
 * The envelope of Microsoft Graph's replies, and what its values mean.
 */

#include "pki_graph.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>


#define PKI_GRAPH_CODE_SHOWN  64    /* octets of a code in a sentence */
#define PKI_GRAPH_GUID_LEN    36
#define PKI_GRAPH_SKEW        300   /* seconds that Graph may be ahead */


static const char *pki_graph_why(const pki_round_t *round, char *text,
    size_t size);


const char *const  pki_graph_top[] = { PKI_GRAPH_TOP, NULL };


int
pki_graph_good(const pki_round_t *round)
{
    return round->json && round->status >= 200 && round->status <= 299;
}


int
pki_graph_code(const pki_round_t *round, const char *code)
{
    unsigned  n;

    if (!round->json) {
        return 0;
    }

    for (n = PKI_GRAPH_CODE; n < PKI_GRAPH_OWN; n++) {
        if (pki_graph_is(pki_page_top(round->page, n), code)) {
            return 1;
        }
    }

    return 0;
}


/*
 * 410 says it by itself.  Its Location would begin anew, which the round
 * does without it: a URL out of a header is not to be trusted with a token.
 */

int
pki_graph_expired(const pki_round_t *round)
{
    return round->status == 410
           || (round->status >= 400 && round->status <= 499
               && (pki_graph_code(round, "syncStateNotFound")
                   || pki_graph_code(round, "resyncRequired")));
}


pki_next_t
pki_graph_refused(pki_round_t *round, const char *what)
{
    char         text[PKI_GRAPH_CODE_SHOWN + sizeof(" ()")];
    const char  *why, *hint;

    why = pki_graph_why(round, text, sizeof(text));

    if (round->status >= 200 && round->status <= 299) {
        return pki_round_fail(round, "the reply about %s is not what was "
                              "asked for", what);
    }

    hint = round->status == 403 ? ": no permission, or no licence" : "";

    return pki_round_fail(round, "%s refused with status %d%s%s", what,
                          round->status, why, hint);
}


pki_next_t
pki_graph_follow(pki_round_t *round, const pki_page_shape_t *shape,
    const char *what)
{
    const pki_value_t  *link;

    link = pki_page_top(round->page, PKI_GRAPH_NEXT);

    if (link->type != PKI_VALUE_STRING || link->len == 0) {
        return pki_round_fail(round, "the next link of %s is no link", what);
    }

    if (++round->count[PKI_GRAPH_PAGES] >= PKI_GRAPH_PAGES_MAX) {
        return pki_round_fail(round, "%s did not end after %d pages", what,
                              PKI_GRAPH_PAGES_MAX);
    }

    return pki_round_follow(round, shape, link);
}


pki_next_t
pki_graph_listed(pki_round_t *round, const pki_page_shape_t *shape,
    const char *what)
{
    if (!pki_graph_good(round)) {

        if (pki_graph_expired(round)
            || pki_graph_code(round, "Directory_ExpiredPageToken"))
        {
            return PKI_NEXT_FULL;
        }

        return pki_graph_refused(round, what);
    }

    round->count[PKI_GRAPH_ROWS] += (long long) round->told;

    if (pki_page_top(round->page, PKI_GRAPH_NEXT)->type == PKI_VALUE_ABSENT) {
        return PKI_NEXT_DONE;
    }

    return pki_graph_follow(round, shape, what);
}


unsigned
pki_graph_page(const pki_directory_conf_t *conf, unsigned max)
{
    return conf->page == 0 || conf->page > max ? max : conf->page;
}


int
pki_graph_is(const pki_value_t *value, const char *literal)
{
    return value->type == PKI_VALUE_STRING
           && strcasecmp(value->string, literal) == 0;
}


const char *
pki_graph_guid(const char *id, const char *class)
{
    size_t         len;
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    len = strlen(class);

    if (strncmp(id, class, len) != 0 || id[len] != '/'
        || strlen(id + len + 1) != PKI_GRAPH_GUID_LEN
        || pki_guid_from_text(id + len + 1, PKI_GRAPH_GUID_LEN, guid)
           != PKI_OK)
    {
        return NULL;
    }

    return id + len + 1;
}


int
pki_graph_none(const pki_value_t *value)
{
    return value->type == PKI_VALUE_STRING
           && (value->len == 0
               || pki_graph_is(value, "00000000-0000-0000-0000-000000000000"));
}


/* Graph writes year 1 for "not known"; a time ahead is no enrolment either */

time_t
pki_graph_grace(const pki_directory_conf_t *conf, const pki_value_t *value,
    time_t now)
{
    time_t  enrolled;

    if (conf->grace <= 0 || value->type != PKI_VALUE_STRING
        || pki_time_iso(value->string, value->len, &enrolled) != PKI_OK
        || enrolled > now + PKI_GRAPH_SKEW
        || enrolled + conf->grace <= now)
    {
        return 0;
    }

    return enrolled + conf->grace;
}


int
pki_graph_absent(int status, const pki_value_t *code)
{
    return status == 404
           && (pki_graph_is(code, "Request_ResourceNotFound")
               || pki_graph_is(code, "ResourceNotFound"));
}


/* The code of an error as " (code)": names only, others have no place in a
   log. */

static const char *
pki_graph_why(const pki_round_t *round, char *text, size_t size)
{
    size_t              len;
    const pki_value_t  *code;

    static const char   names[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    if (!round->json) {
        return "";
    }

    code = pki_page_top(round->page, PKI_GRAPH_CODE);

    if (code->type != PKI_VALUE_STRING) {
        return "";
    }

    len = strspn(code->string, names);

    if (len == 0 || len != code->len || len > PKI_GRAPH_CODE_SHOWN) {
        return "";
    }

    (void) snprintf(text, size, " (%s)", code->string);

    return text;
}
