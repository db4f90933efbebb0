
/*
 * The store by hand: certificates are recorded, revoked, released and
 * looked up.
 */

#include "pki_admin.h"
#include "pki_book.h"
#include "pki_cert.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>


#define PKI_ADMIN_STORE_BATCH  500      /* certificates under way */

#define PKI_ADMIN_STORE_DIRECTORIES  (PKI_FACTS_OBJECTS / PKI_BINDING_OBJECTS)


typedef struct {
    pki_redis_sync_t  *sync;
    const char        *issuer;
    const char        *requester;
    const char        *user;            /* of this program */
    unsigned           source;
    pki_serial_keys_t  keys;
    unsigned long      sealed;          /* no key opens them */
    unsigned long      waiting;
    unsigned long      done;
    unsigned long      same;
    unsigned long      failed;
} pki_admin_batch_t;


static int pki_admin_store_source(const char *name, unsigned *source);
static int pki_admin_store_record_files(pki_admin_batch_t *batch,
    const pki_admin_line_t *line);
static int pki_admin_store_record_file(pki_admin_batch_t *batch,
    const char *path);
static int pki_admin_store_record_cert(pki_admin_batch_t *batch, X509 *cert,
    const char *path);
static pki_bytes_t pki_admin_store_text(const char *text);
static int pki_admin_store_record_wait(pki_admin_batch_t *batch);
static void pki_admin_store_recorded(void *data, pki_store_result_t result,
    long long n, const char *error);
static int pki_admin_store_changed_exit(const pki_admin_answer_t *answer,
    const char *done);
static int pki_admin_store_find_objects(const pki_admin_line_t *line,
    char *directories, pki_object_id_t *objects, pki_store_query_t *query);
static void pki_admin_store_found(void *data, const pki_store_found_t *found);
static void pki_admin_store_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static int pki_admin_store_reason(const char *text, pki_reason_t *reason);
static const char *pki_admin_store_user(char *buf, size_t size);
static void pki_admin_store_time(const char *name, time_t t);


/* in whose rounds an object is seen; by pki_object_class_t */

static const char *const  pki_admin_resources[] = {
    "devices", "users", "computers", "mobile", "users"
};


int
pki_admin_store_record(const pki_admin_line_t *line)
{
    int                rc;
    char               user[PKI_STORE_WHO_MAX];
    pki_admin_batch_t  batch;

    memset(&batch, 0, sizeof(batch));
    batch.issuer = line->opt[PKI_ADMIN_OPT_ISSUER];
    batch.user = pki_admin_store_user(user, sizeof(user));
    batch.requester = line->opt[PKI_ADMIN_OPT_REQUESTER];

    if (batch.requester == NULL) {
        batch.requester = user;
    }

    rc = pki_admin_store_source(line->opt[PKI_ADMIN_OPT_SOURCE],
                                &batch.source);

    if (rc == PKI_ADMIN_DONE && line->opt[PKI_ADMIN_OPT_KEY_FILE] != NULL) {
        rc = pki_admin_keys(line->opt[PKI_ADMIN_OPT_KEY_FILE], &batch.keys);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &batch.sync);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_store_record_files(&batch, line);
        pki_redis_sync_destroy(batch.sync);

        printf("recorded %lu, already there %lu, failed %lu\n", batch.done,
               batch.same, batch.failed);
    }

    if (batch.sealed != 0) {
        fprintf(stderr, PKI_ADMIN_NAME ": recorded without their objects,"
                " for no key opens their serial numbers: %lu\n",
                batch.sealed);
    }

    OPENSSL_cleanse(&batch.keys, sizeof(batch.keys));

    return rc;
}


static int
pki_admin_store_source(const char *name, unsigned *source)
{
    unsigned  n;

    *source = PKI_SOURCE_IMPORT;

    if (name == NULL) {
        return PKI_ADMIN_DONE;
    }

    for (n = 0; n < PKI_ROW_SOURCES; n++) {
        if (pki_row_source_name(n) != NULL
            && strcasecmp(name, pki_row_source_name(n)) == 0)
        {
            *source = n;
            return PKI_ADMIN_DONE;
        }
    }

    return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no source", name);
}


static int
pki_admin_store_record_files(pki_admin_batch_t *batch,
    const pki_admin_line_t *line)
{
    int  i, rc;

    rc = PKI_ADMIN_DONE;

    for (i = 0; i < line->nargs && rc == PKI_ADMIN_DONE; i++) {
        rc = pki_admin_store_record_file(batch, line->args[i]);
    }

    if (pki_admin_store_record_wait(batch) != PKI_ADMIN_DONE || batch->failed)
    {
        rc = PKI_ADMIN_FAILED;
    }

    return rc;
}


static int
pki_admin_store_record_file(pki_admin_batch_t *batch, const char *path)
{
    int            rc;
    BIO           *bio;
    X509          *cert;
    unsigned long  n, e;

    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot open \"%s\"", path);
    }

    rc = PKI_ADMIN_DONE;

    for (n = 0; rc == PKI_ADMIN_DONE; n++) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }

        rc = pki_admin_store_record_cert(batch, cert, path);
        X509_free(cert);
    }

    e = ERR_peek_last_error();

    if (rc == PKI_ADMIN_DONE
        && (n == 0 || ERR_GET_LIB(e) != ERR_LIB_PEM
            || ERR_GET_REASON(e) != PEM_R_NO_START_LINE))
    {
        rc = pki_admin_fail(PKI_ADMIN_FAILED, "certificate %lu in \"%s\" is"
                            " missing or broken", n + 1, path);
    }

    ERR_clear_error();
    BIO_free(bio);

    return rc;
}


static int
pki_admin_store_record_cert(pki_admin_batch_t *batch, X509 *cert,
    const char *path)
{
    size_t            len;
    unsigned          i, n;
    pki_row_t         row;
    pki_actor_t       actor;
    unsigned char    *der;
    pki_binding_t     binding;
    pki_cert_text_t   text;
    pki_object_id_t   objects[PKI_BINDING_OBJECTS];
    pki_book_entry_t  entry;

    if (pki_cert_describe(cert, &text) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "a serial number or a time"
                              " in \"%s\" cannot be", path);
    }

    memset(&row, 0, sizeof(row));
    row.kind = PKI_KIND_STATIC;
    n = 0;

    if (pki_serial_open(&text.serial, &batch->keys, &binding) == PKI_OK) {
        row.kind = binding.kind;
        n = pki_binding_objects(&binding, objects);

    } else if (pki_serial_is_sealed(&text.serial)) {
        batch->sealed++;
    }

    for (i = 0; i < n; i++) {
        row.objects[i] = pki_admin_store_text(objects[i].id);
    }

    row.serial = text.serial;
    row.not_before = text.not_before;
    row.not_after = text.not_after;
    row.issued = time(NULL);
    row.source = batch->source;
    row.thumbprint = pki_admin_store_text(text.thumbprint);
    row.subject = pki_admin_store_text(text.subject);
    row.sans = pki_admin_store_text(text.sans);
    row.upn = pki_admin_store_text(text.upn);
    row.requester = pki_admin_store_text(batch->requester);

    if (pki_cert_der(cert, &der, &len) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "out of memory");
    }

    entry.row = &row;
    entry.der.data = der;
    entry.der.len = len;

    actor.who = PKI_ADMIN_NAME;
    actor.from = batch->user;
    actor.why = NULL;
    actor.at = row.issued;

    pki_book_record(pki_redis_sync_transport(batch->sync), batch->issuer,
                    &entry, "import", &actor, pki_admin_store_recorded, batch);

    OPENSSL_free(der);

    if (++batch->waiting == PKI_ADMIN_STORE_BATCH) {
        return pki_admin_store_record_wait(batch);
    }

    return PKI_ADMIN_DONE;
}


static pki_bytes_t
pki_admin_store_text(const char *text)
{
    pki_bytes_t  bytes;

    bytes.data = (const unsigned char *) text;
    bytes.len = strlen(text);

    return bytes;
}


static int
pki_admin_store_record_wait(pki_admin_batch_t *batch)
{
    pki_err_t  err;

    batch->waiting = 0;

    if (pki_redis_sync_wait(batch->sync, &err) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "Redis: %s", err.text);
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_store_recorded(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_admin_batch_t  *batch = data;

    (void) n;

    switch (result) {

    case PKI_STORE_DONE:
        batch->done++;
        break;

    case PKI_STORE_SAME:
        batch->same++;
        break;

    default:
        if (batch->failed++ == 0) {
            (void) pki_admin_fail(PKI_ADMIN_FAILED, "%s",
                                  error ? error : "another certificate has"
                                  " this serial number");
        }
    }
}


int
pki_admin_store_revoke(const pki_admin_line_t *line)
{
    int                 rc;
    char                user[PKI_STORE_WHO_MAX];
    pki_actor_t         actor;
    pki_serial_t        sn;
    pki_redis_sync_t   *sync;
    pki_revocation_t    revocation;
    pki_admin_answer_t  answer;

    memset(&revocation, 0, sizeof(revocation));
    strcpy(revocation.who, PKI_ADMIN_NAME);
    revocation.at = time(NULL);

    rc = pki_admin_store_reason(line->opt[PKI_ADMIN_OPT_REASON],
                          &revocation.reason);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_serial_number(line->args[0], &sn);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    actor.who = PKI_ADMIN_NAME;
    actor.from = pki_admin_store_user(user, sizeof(user));
    actor.why = NULL;
    actor.at = revocation.at;

    pki_store_revoke(pki_redis_sync_transport(sync),
                     line->opt[PKI_ADMIN_OPT_ISSUER], &sn, &revocation,
                     &actor, line->opt[PKI_ADMIN_OPT_UNRECORDED] != NULL,
                     pki_admin_store_changed, &answer);

    rc = pki_admin_wait(sync, &answer);
    pki_redis_sync_destroy(sync);

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    return pki_admin_store_changed_exit(&answer, "revoked");
}


int
pki_admin_store_release(const pki_admin_line_t *line)
{
    int                 rc;
    char                user[PKI_STORE_WHO_MAX];
    pki_actor_t         actor;
    pki_serial_t        sn;
    pki_redis_sync_t   *sync;
    pki_admin_answer_t  answer;

    rc = pki_admin_serial_number(line->args[0], &sn);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    actor.who = PKI_ADMIN_NAME;
    actor.from = pki_admin_store_user(user, sizeof(user));
    actor.why = NULL;
    actor.at = time(NULL);

    pki_store_release(pki_redis_sync_transport(sync),
                      line->opt[PKI_ADMIN_OPT_ISSUER], &sn, &actor,
                      pki_admin_store_changed, &answer);

    rc = pki_admin_wait(sync, &answer);
    pki_redis_sync_destroy(sync);

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    return pki_admin_store_changed_exit(&answer, "released");
}


static int
pki_admin_store_changed_exit(const pki_admin_answer_t *answer,
    const char *done)
{
    switch (answer->result) {

    case PKI_STORE_DONE:
        printf("%s\n", done);
        break;

    case PKI_STORE_SAME:
        printf("already so\n");
        break;

    case PKI_STORE_NOT_FOUND:
        return pki_admin_fail(PKI_ADMIN_REFUSED, "there is no such record");

    default: /* PKI_STORE_CONFLICT */
        return pki_admin_fail(PKI_ADMIN_REFUSED, "it is revoked already:"
                              " %s, by %s",
                              pki_reason_name(answer->present.reason),
                              answer->present.who);
    }

    if (answer->has_present) {
        printf("reason: %s\n", pki_reason_name(answer->present.reason));
        pki_admin_store_time("since", answer->present.at);
    }

    return PKI_ADMIN_DONE;
}


int
pki_admin_store_find(const pki_admin_line_t *line)
{
    int                 rc;
    char               *directories;
    pki_redis_sync_t   *sync;
    pki_object_id_t     objects[PKI_BINDING_OBJECTS];
    pki_store_query_t   query;
    pki_admin_answer_t  answer;

    memset(&query, 0, sizeof(query));
    query.issuer = line->opt[PKI_ADMIN_OPT_ISSUER];
    directories = NULL;

    rc = pki_admin_serial_number(line->args[0], &query.serial);

    if (rc == PKI_ADMIN_DONE && line->opt[PKI_ADMIN_OPT_DIRECTORY] != NULL) {
        directories = OPENSSL_strdup(line->opt[PKI_ADMIN_OPT_DIRECTORY]);
        if (directories == NULL) {
            return pki_admin_fail(PKI_ADMIN_FAILED, "out of memory");
        }

        rc = pki_admin_store_find_objects(line, directories, objects, &query);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc == PKI_ADMIN_DONE) {
        pki_store_find(pki_redis_sync_transport(sync), &query,
                       pki_admin_store_found, &answer);

        rc = pki_admin_wait(sync, &answer);
        pki_redis_sync_destroy(sync);
    }

    OPENSSL_free(directories);

    return rc;
}


static int
pki_admin_store_find_objects(const pki_admin_line_t *line, char *directories,
    pki_object_id_t *objects, pki_store_query_t *query)
{
    int                 rc;
    char               *directory, *rest;
    unsigned            i, n;
    pki_rc_t            opened;
    const char         *path;
    pki_binding_t       binding;
    pki_serial_keys_t   keys;

    path = line->opt[PKI_ADMIN_OPT_KEY_FILE];

    if (path != NULL) {
        rc = pki_admin_keys(path, &keys);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }
    }

    opened = pki_serial_open(&query->serial, path ? &keys : NULL, &binding);
    OPENSSL_cleanse(&keys, sizeof(keys));

    if (opened != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_REFUSED, "the serial number names no"
                              " objects, or no key opens it");
    }

    n = pki_binding_objects(&binding, objects);

    for (directory = strtok_r(directories, ",", &rest);
         directory != NULL;
         directory = strtok_r(NULL, ",", &rest))
    {
        if (query->nobjects + n > PKI_FACTS_OBJECTS) {
            return pki_admin_fail(PKI_ADMIN_USAGE, "more than %d directories",
                                  PKI_ADMIN_STORE_DIRECTORIES);
        }

        for (i = 0; i < n; i++) {
            query->objects[query->nobjects].directory = directory;
            query->objects[query->nobjects].id = objects[i].id;
            query->objects[query->nobjects].resources[0] =
                             pki_admin_resources[objects[i].class];
            query->nobjects++;
        }
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_store_found(void *data, const pki_store_found_t *found)
{
    unsigned                  i;
    const pki_object_fact_t  *object;

    pki_admin_done(data, found->result, 0, found->error);

    if (found->result != PKI_STORE_DONE) {
        return;
    }

    printf("recorded: %s\n", found->facts.recorded ? "yes" : "no");

    if (found->facts.recorded) {
        pki_admin_store_time("not before", found->record.not_before);
        pki_admin_store_time("not after", found->record.not_after);
        printf("source: %s\nrequester: %s\n", found->record.source,
               found->record.requester);
    }

    printf("revoked: %s\n", found->facts.manual == PKI_REASON_NONE
                            ? "no" : pki_reason_name(found->facts.manual));

    if (found->facts.manual != PKI_REASON_NONE) {
        pki_admin_store_time("since", found->revocation.at);

        if (found->revocation.invalidity != 0) {
            pki_admin_store_time("invalid since", found->revocation.invalidity);
        }

        printf("who: %s\n", found->revocation.who);
    }

    for (i = 0; i < found->facts.nobjects; i++) {
        object = &found->facts.objects[i];

        printf("object: %s in %s\n", object->id, object->directory);

        if (object->found) {
            pki_admin_state_show(object->state);
            pki_admin_store_time("since", object->since);
        }

        if (object->synced_at != 0) {
            pki_admin_store_time("synced", object->synced_at);
        }
    }
}


int
pki_admin_wait(pki_redis_sync_t *sync, pki_admin_answer_t *answer)
{
    pki_err_t  err;

    if (pki_redis_sync_wait(sync, &err) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "Redis: %s", err.text);
    }

    if (answer->result == PKI_STORE_FAILED) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "%s", answer->error);
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_store_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    pki_admin_answer_t  *answer = data;

    pki_admin_done(data, result, 0, error);

    if (present != NULL) {
        answer->has_present = 1;
        answer->present = *present;
    }
}


void
pki_admin_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_admin_answer_t  *answer = data;

    memset(answer, 0, sizeof(pki_admin_answer_t));
    answer->result = result;
    answer->n = n;

    if (error != NULL) {
        (void) snprintf(answer->error, sizeof(answer->error), "%s", error);
    }
}


/* A CRLReason by its number or its name; none is "unspecified". */

static int
pki_admin_store_reason(const char *text, pki_reason_t *reason)
{
    int                 i;
    unsigned long long  n;

    *reason = PKI_REASON_UNSPECIFIED;

    if (text == NULL) {
        return PKI_ADMIN_DONE;
    }

    for (i = 0; i <= PKI_REASON_AA_COMPROMISE; i++) {
        if (pki_reason_valid(i)
            && ((pki_admin_number(text, PKI_REASON_AA_COMPROMISE, &n)
                 == PKI_ADMIN_DONE && (int) n == i)
                || strcasecmp(text, pki_reason_name((pki_reason_t) i)) == 0))
        {
            *reason = (pki_reason_t) i;
            return PKI_ADMIN_DONE;
        }
    }

    return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no reason", text);
}


static const char *
pki_admin_store_user(char *buf, size_t size)
{
    struct passwd  *pw;

    pw = getpwuid(getuid());

    if (pw != NULL) {
        (void) snprintf(buf, size, "%s", pw->pw_name);

    } else {
        (void) snprintf(buf, size, "uid %ld", (long) getuid());
    }

    return buf;
}


static void
pki_admin_store_time(const char *name, time_t t)
{
    char       text[32];
    struct tm  tm;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        (void) snprintf(text, sizeof(text), "%lld", (long long) t);
    }

    printf("%s: %s\n", name, text);
}
