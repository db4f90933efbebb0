
/*
 * The questions about many certificates, asked together.
 *
 * What several of them depend on is asked for once: an object of a
 * directory, and when a directory's resource was last listed.  For each
 * directory that is one MGET and one HMGET, however many certificates there
 * are.  With "devices all" the names that devices may have in the other
 * directories are read as well, and what they lead to in a second write.
 *
 * The survey lives from the call to its last reply.
 */

#include "pki_survey.h"
#include "pki_cell.h"
#include "pki_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_SURVEY_OBJECTS  (PKI_SURVEY_MAX * PKI_BINDING_OBJECTS)
#define PKI_SURVEY_ARGS     (2 + PKI_SURVEY_OBJECTS)
#define PKI_SURVEY_TEXT     160     /* a key: name, id and some words */

/* revocations; and of each directory: objects, rounds, names, objects */

#define PKI_SURVEY_ASKS     (1 + 4 * PKI_QUESTION_DIRECTORIES)

#define PKI_SURVEY_ABSENT                                                   \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING)


typedef struct {
    unsigned          from;         /* index of the view's directory */
    unsigned          second:1;     /* asked for in the second write */
    unsigned          device:1;     /* may have another name */
    unsigned          found:1;
    unsigned          state;
    time_t            since;
    char              id[PKI_OBJECT_ID_SIZE];
    char              alias[PKI_OBJECT_ID_SIZE];
    char              other[PKI_OBJECT_ID_SIZE];    /* that its name leads
                                                       to */
} pki_survey_object_t;


typedef struct {
    pki_question_t    question;
    unsigned          objects[PKI_FACTS_OBJECTS];   /* of the question's */
} pki_survey_entry_t;


typedef struct {
    unsigned          n;
    const char       *names[PKI_RESOURCES_MAX];
    time_t            at[PKI_RESOURCES_MAX];        /* 0: never */
} pki_survey_rounds_t;


typedef struct pki_survey_s  pki_survey_t;

/* returns what is wrong with the reply, or NULL */

typedef const char *(*pki_survey_read_pt)(pki_survey_t *survey,
    unsigned from, const redisReply *reply);

typedef struct {
    pki_survey_t     *survey;
    pki_survey_read_pt  read;
    unsigned          from;
} pki_survey_ask_t;


struct pki_survey_s {
    pki_cell_t        cell;
    pki_redis_t      *redis;
    const pki_view_t *view;
    time_t            now;
    unsigned          pending;      /* replies */
    unsigned          second:1;     /* the second write was made */
    const char       *error;
    pki_err_t         err;

    unsigned          nasks;
    pki_survey_ask_t  asks[PKI_SURVEY_ASKS];
    pki_survey_rounds_t  rounds[PKI_QUESTION_DIRECTORIES];

    size_t            n;
    size_t            nobjects;
    pki_survey_object_t  *objects;  /* behind the entries */
    pki_survey_item_t    *items;    /* behind the objects */
    pki_survey_entry_t   entries[];
};


/* a command on its way to the transport, which copies it */

typedef struct {
    int               argc;
    const char       *argv[PKI_SURVEY_ARGS];
    size_t            len[PKI_SURVEY_ARGS];
    char              text[PKI_SURVEY_ARGS][PKI_SURVEY_TEXT];
} pki_survey_args_t;


static const char *pki_survey_check(const pki_view_t *view,
    const pki_serial_t *serials, size_t n);
static void pki_survey_failed(pki_cell_call_pt call, void *data,
    const char *error);
static pki_rc_t pki_survey_questions(pki_survey_t *survey,
    const pki_serial_t *serials);
static unsigned pki_survey_object(pki_survey_t *survey, unsigned from,
    const char *id);
static void pki_survey_round(pki_survey_rounds_t *rounds, const char *name);

static void pki_survey_send_first(pki_survey_t *survey);
static void pki_survey_send_revoked(pki_survey_t *survey);
static void pki_survey_send_states(pki_survey_t *survey, unsigned from);
static void pki_survey_send_names(pki_survey_t *survey, unsigned from);
static void pki_survey_send_rounds(pki_survey_t *survey, unsigned from);
static void pki_survey_arg(pki_survey_args_t *args, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void pki_survey_send(pki_survey_t *survey, pki_survey_read_pt read,
    unsigned from, const pki_survey_args_t *args);

static void pki_survey_reply(void *data, const redisReply *reply);
static const char *pki_survey_read_revoked(pki_survey_t *survey,
    unsigned from, const redisReply *reply);
static const char *pki_survey_read_states(pki_survey_t *survey,
    unsigned from, const redisReply *reply);
static const char *pki_survey_read_names(pki_survey_t *survey,
    unsigned from, const redisReply *reply);
static const char *pki_survey_read_rounds(pki_survey_t *survey,
    unsigned from, const redisReply *reply);
static const char *pki_survey_value(pki_survey_t *survey,
    const redisReply *reply, pki_bytes_t *text);

static int pki_survey_translate(pki_survey_t *survey);
static const char *pki_survey_other(const pki_survey_t *survey,
    const pki_survey_entry_t *entry, unsigned i);
static void pki_survey_decide(pki_survey_t *survey);
static time_t pki_survey_synced(const pki_survey_t *survey,
    const pki_question_t *q, unsigned i);


void
pki_survey(pki_redis_t *redis, const pki_view_t *view,
    const pki_serial_t *serials, size_t n, time_t now, pki_survey_pt surveyed,
    void *data)
{
    size_t         max, size;
    const char    *refused;
    pki_survey_t  *survey;

    refused = pki_survey_check(view, serials, n);
    size = sizeof(pki_survey_t);
    max = 0;

    /* with "devices all" each may lead to one more */

    if (refused == NULL) {
        max = n * view->n * PKI_BINDING_OBJECTS * (view->all ? 2 : 1);
        size += n * (sizeof(pki_survey_entry_t) + sizeof(pki_survey_item_t))
                + max * sizeof(pki_survey_object_t);
    }

    survey = pki_cell_begin_other(redis, pki_survey_failed,
                                  (pki_cell_call_pt) surveyed, data, refused,
                                  size);
    if (survey == NULL) {
        return;
    }

    survey->redis = redis;
    survey->view = view;
    survey->now = now;
    survey->n = n;
    survey->items = (pki_survey_item_t *) (survey->entries + n);
    survey->objects = (pki_survey_object_t *) (survey->items + n);

    if (pki_survey_questions(survey, serials) != PKI_OK) {
        survey->error = "a serial number cannot be opened";
        survey->nobjects = 0;
    }

    pki_survey_send_first(survey);
}


static const char *
pki_survey_check(const pki_view_t *view, const pki_serial_t *serials,
    size_t n)
{
    size_t  i;

    if (n == 0 || n > PKI_SURVEY_MAX) {
        return "a survey of no certificates, or of too many";
    }

    if (!pki_name_valid(view->name, strlen(view->name))) {
        return "a survey with an issuer that cannot be";
    }

    for (i = 0; i < view->n; i++) {
        if (!pki_name_valid(view->directories[i].name,
                            strlen(view->directories[i].name)))
        {
            return "a survey with a directory that cannot be";
        }
    }

    for (i = 0; i < n; i++) {
        if (serials[i].len < 1 || serials[i].len > PKI_SERIAL_LEN
            || serials[i].data[0] == 0)
        {
            return "a survey with a serial number that cannot be";
        }
    }

    return NULL;
}


static void
pki_survey_failed(pki_cell_call_pt call, void *data, const char *error)
{
    ((pki_survey_pt) call)(data, PKI_STORE_FAILED, NULL, 0, error);
}


static pki_rc_t
pki_survey_questions(pki_survey_t *survey, const pki_serial_t *serials)
{
    size_t               n;
    unsigned             i, k, at;
    const char          *resource;
    pki_question_t      *q;
    pki_survey_entry_t  *entry;

    for (n = 0; n < survey->n; n++) {
        entry = &survey->entries[n];
        q = &entry->question;

        survey->items[n].serial = serials[n];
        survey->items[n].manual.reason = PKI_REASON_NONE;

        if (pki_question(survey->view, &serials[n], q) != PKI_OK) {
            return PKI_ERROR;
        }

        for (i = 0; i < q->store.nobjects; i++) {
            at = pki_survey_object(survey, q->from[i],
                                   q->store.objects[i].id);

            entry->objects[i] = at;
            survey->objects[at].device = q->store.objects[i].group != 0;

            for (k = 0; k < PKI_STORE_RESOURCES; k++) {
                resource = q->store.objects[i].resources[k];

                if (resource != NULL) {
                    pki_survey_round(&survey->rounds[q->from[i]], resource);
                }
            }
        }
    }

    return PKI_OK;
}


/* Finds the object or adds it; its index. */

static unsigned
pki_survey_object(pki_survey_t *survey, unsigned from, const char *id)
{
    unsigned              i;
    pki_survey_object_t  *object;

    for (i = 0; i < survey->nobjects; i++) {
        if (survey->objects[i].from == from
            && strcmp(survey->objects[i].id, id) == 0)
        {
            return i;
        }
    }

    object = &survey->objects[i];
    object->from = from;
    object->second = survey->second;

    (void) snprintf(object->id, sizeof(object->id), "%s", id);

    survey->nobjects++;

    return i;
}


static void
pki_survey_round(pki_survey_rounds_t *rounds, const char *name)
{
    unsigned  i;

    for (i = 0; i < rounds->n; i++) {
        if (strcmp(rounds->names[i], name) == 0) {
            return;
        }
    }

    if (rounds->n < PKI_RESOURCES_MAX) {
        rounds->names[rounds->n++] = name;
    }
}


static void
pki_survey_send_first(pki_survey_t *survey)
{
    unsigned  i;

    pki_survey_send_revoked(survey);

    if (survey->error != NULL) {
        return;
    }

    for (i = 0; i < survey->view->n; i++) {
        pki_survey_send_states(survey, i);
        pki_survey_send_rounds(survey, i);

        if (survey->view->all) {
            pki_survey_send_names(survey, i);
        }
    }
}


static void
pki_survey_send_revoked(pki_survey_t *survey)
{
    char               hex[PKI_SERIAL_HEX_SIZE];
    size_t             i;
    pki_survey_args_t  args;

    args.argc = 0;
    pki_survey_arg(&args, "HMGET");
    pki_survey_arg(&args, "pki:{%s}:revoked", survey->view->name);

    for (i = 0; i < survey->n; i++) {
        (void) pki_serial_to_text(&survey->items[i].serial, hex);
        pki_survey_arg(&args, "%s", hex);
    }

    pki_survey_send(survey, pki_survey_read_revoked, 0, &args);
}


/* Those of this write only; nothing where there is none. */

static void
pki_survey_send_states(pki_survey_t *survey, unsigned from)
{
    size_t                i;
    pki_survey_args_t     args;
    pki_survey_object_t  *object;

    args.argc = 0;
    pki_survey_arg(&args, "MGET");

    for (i = 0; i < survey->nobjects; i++) {
        object = &survey->objects[i];

        if (object->from == from && object->second == survey->second) {
            pki_survey_arg(&args, "pki:{%s}:object:%s",
                           survey->view->directories[from].name, object->id);
        }
    }

    if (args.argc > 1) {
        pki_survey_send(survey, pki_survey_read_states, from, &args);
    }
}


static void
pki_survey_send_names(pki_survey_t *survey, unsigned from)
{
    size_t                i;
    pki_survey_args_t     args;
    pki_survey_object_t  *object;

    args.argc = 0;
    pki_survey_arg(&args, "HMGET");
    pki_survey_arg(&args, "pki:{%s}:names",
                   survey->view->directories[from].name);

    for (i = 0; i < survey->nobjects; i++) {
        object = &survey->objects[i];

        if (object->from == from && object->device) {
            pki_survey_arg(&args, "%s", strchr(object->id, '/') + 1);
        }
    }

    if (args.argc > 2) {
        pki_survey_send(survey, pki_survey_read_names, from, &args);
    }
}


static void
pki_survey_send_rounds(pki_survey_t *survey, unsigned from)
{
    unsigned              i;
    pki_survey_args_t     args;
    pki_survey_rounds_t  *rounds;

    rounds = &survey->rounds[from];

    if (rounds->n == 0) {
        return;
    }

    args.argc = 0;
    pki_survey_arg(&args, "HMGET");
    pki_survey_arg(&args, "pki:{%s}:sync",
                   survey->view->directories[from].name);

    for (i = 0; i < rounds->n; i++) {
        pki_survey_arg(&args, "%s.at", rounds->names[i]);
    }

    pki_survey_send(survey, pki_survey_read_rounds, from, &args);
}


static void
pki_survey_arg(pki_survey_args_t *args, const char *fmt, ...)
{
    char     *text;
    va_list   ap;

    text = args->text[args->argc];

    va_start(ap, fmt);
    (void) vsnprintf(text, PKI_SURVEY_TEXT, fmt, ap);
    va_end(ap);

    args->argv[args->argc] = text;
    args->len[args->argc] = strlen(text);
    args->argc++;
}


static void
pki_survey_send(pki_survey_t *survey, pki_survey_read_pt read, unsigned from,
    const pki_survey_args_t *args)
{
    pki_survey_ask_t  *ask;

    ask = &survey->asks[survey->nasks++];
    ask->survey = survey;
    ask->read = read;
    ask->from = from;

    survey->pending++;

    survey->redis->send(survey->redis, args->argc,
                        (const char **) args->argv, args->len,
                        pki_survey_reply, ask);
}


static void
pki_survey_reply(void *data, const redisReply *reply)
{
    pki_survey_ask_t *ask = data;

    pki_cell_t    *cell;
    pki_survey_t  *survey;

    survey = ask->survey;
    cell = &survey->cell;

    if (survey->error == NULL) {
        survey->error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &survey->err);
    }

    if (survey->error == NULL) {
        survey->error = ask->read(survey, ask->from, reply);
    }

    if (--survey->pending) {
        return;
    }

    if (survey->error == NULL && survey->view->all && !survey->second
        && pki_survey_translate(survey))
    {
        return;
    }

    if (survey->error != NULL) {
        pki_cell_fail(cell, survey->error);

    } else {
        pki_survey_decide(survey);

        ((pki_survey_pt) cell->call)(cell->data, PKI_STORE_DONE,
                                     survey->items, survey->n, NULL);
    }

    OPENSSL_free(survey);
}


static const char *
pki_survey_read_revoked(pki_survey_t *survey, unsigned from,
    const redisReply *reply)
{
    size_t       i;
    const char  *error;
    pki_bytes_t  text;

    (void) from;

    if (reply->elements != survey->n) {
        return "unexpected reply of Redis";
    }

    for (i = 0; i < survey->n; i++) {
        error = pki_survey_value(survey, reply->element[i], &text);
        if (error != NULL) {
            return error;
        }

        if (text.len != 0
            && pki_revocation_read(text, &survey->items[i].manual) != PKI_OK)
        {
            return "unreadable revocation record";
        }
    }

    return NULL;
}


static const char *
pki_survey_read_states(pki_survey_t *survey, unsigned from,
    const redisReply *reply)
{
    size_t                i, n;
    const char           *error;
    pki_bytes_t           text;
    pki_survey_object_t  *object;

    n = 0;

    for (i = 0; i < survey->nobjects; i++) {
        object = &survey->objects[i];

        if (object->from != from || object->second != survey->second) {
            continue;
        }

        if (n == reply->elements) {
            return "unexpected reply of Redis";
        }

        error = pki_survey_value(survey, reply->element[n++], &text);
        if (error != NULL) {
            return error;
        }

        if (text.len == 0) {
            continue;
        }

        if (pki_object_read(text, &object->state, &object->since,
                            object->alias)
            != PKI_OK)
        {
            return "unreadable object record";
        }

        object->found = 1;
    }

    return n == reply->elements ? NULL : "unexpected reply of Redis";
}


static const char *
pki_survey_read_names(pki_survey_t *survey, unsigned from,
    const redisReply *reply)
{
    size_t                i, n;
    const char           *error, *name;
    pki_bytes_t           text;
    pki_survey_object_t  *object;

    n = 0;
    name = survey->view->directories[from].name;

    for (i = 0; i < survey->nobjects; i++) {
        object = &survey->objects[i];

        if (object->from != from || !object->device) {
            continue;
        }

        if (n == reply->elements) {
            return "unexpected reply of Redis";
        }

        error = pki_survey_value(survey, reply->element[n++], &text);
        if (error != NULL) {
            return error;
        }

        if (text.len == 0) {
            continue;
        }

        if (text.len >= PKI_OBJECT_ID_SIZE) {
            return "unreadable id of an object";
        }

        memcpy(object->other, text.data, text.len);

        if (strlen(object->other) != text.len
            || !pki_record_id_valid(name, object->other))
        {
            return "unreadable id of an object";
        }
    }

    return n == reply->elements ? NULL : "unexpected reply of Redis";
}


static const char *
pki_survey_read_rounds(pki_survey_t *survey, unsigned from,
    const redisReply *reply)
{
    unsigned              i;
    long long             at;
    const char           *error;
    pki_bytes_t           text;
    pki_survey_rounds_t  *rounds;

    rounds = &survey->rounds[from];

    if (reply->elements != rounds->n) {
        return "unexpected reply of Redis";
    }

    for (i = 0; i < rounds->n; i++) {
        error = pki_survey_value(survey, reply->element[i], &text);
        if (error != NULL) {
            return error;
        }

        if (text.len == 0) {
            continue;
        }

        if (pki_record_number(text, PKI_RECORD_TIME_MAX, &at) != PKI_OK) {
            return "unreadable time of a directory's last round";
        }

        rounds->at[i] = (time_t) at;
    }

    return NULL;
}


/* One of many; nothing is no text, and nothing else is. */

static const char *
pki_survey_value(pki_survey_t *survey, const redisReply *reply,
    pki_bytes_t *text)
{
    const char  *error;

    text->data = NULL;
    text->len = 0;

    if (reply->type == REDIS_REPLY_NIL) {
        return NULL;
    }

    error = pki_cell_said(reply, REDIS_REPLY_STRING, &survey->err);
    if (error != NULL) {
        return error;
    }

    if (reply->len == 0) {
        return "an empty record";
    }

    text->data = (unsigned char *) reply->str;
    text->len = reply->len;

    return NULL;
}


/*
 * "devices all": who is not known by the id of the certificate may be there
 * under another.  1: there is something more to ask.
 */

static int
pki_survey_translate(pki_survey_t *survey)
{
    size_t               n;
    unsigned             i, known;
    const char          *other;
    pki_question_t      *q;
    pki_survey_entry_t  *entry;

    known = (unsigned) survey->nobjects;
    survey->second = 1;

    for (n = 0; n < survey->n; n++) {
        entry = &survey->entries[n];
        q = &entry->question;

        for (i = 0; i < q->store.nobjects; i++) {
            other = pki_survey_other(survey, entry, i);

            if (other != NULL) {
                (void) snprintf(q->others[i], sizeof(q->others[i]), "%s",
                                other);
            }
        }

        /* all are found by what was known before the first is replaced */

        for (i = 0; i < q->store.nobjects; i++) {
            if (q->others[i][0] != '\0') {
                q->store.objects[i].id = q->others[i];
                entry->objects[i] = pki_survey_object(survey, q->from[i],
                                                      q->others[i]);
            }
        }
    }

    if (survey->nobjects == known) {
        return 0;
    }

    for (i = 0; i < survey->view->n; i++) {
        pki_survey_send_states(survey, i);
    }

    return 1;
}


/* The id that object i of the question has besides, or NULL. */

static const char *
pki_survey_other(const pki_survey_t *survey, const pki_survey_entry_t *entry,
    unsigned i)
{
    unsigned                    k;
    const char                 *alias;
    const pki_question_t       *q;
    const pki_survey_object_t  *object;

    q = &entry->question;
    object = &survey->objects[entry->objects[i]];

    if (q->store.objects[i].group == 0
        || (object->found && !(object->state & PKI_SURVEY_ABSENT)))
    {
        return NULL;
    }

    for (k = 0; k < q->store.nobjects; k++) {
        alias = survey->objects[entry->objects[k]].alias;

        if (k != i && q->store.objects[k].group == q->store.objects[i].group
            && alias[0] != '\0')
        {
            return alias;
        }
    }

    return object->other[0] != '\0' ? object->other : NULL;
}


static void
pki_survey_decide(pki_survey_t *survey)
{
    size_t                n;
    unsigned              i;
    pki_facts_t           facts;
    pki_question_t       *q;
    pki_store_found_t     found;
    pki_object_fact_t    *fact;
    pki_survey_item_t    *item;
    pki_survey_object_t  *object;

    memset(&found, 0, sizeof(pki_store_found_t));
    found.facts.recorded = 1;

    for (n = 0; n < survey->n; n++) {
        q = &survey->entries[n].question;
        item = &survey->items[n];

        found.facts.manual = item->manual.reason;
        found.facts.manual_at = item->manual.at;
        found.facts.nobjects = q->store.nobjects;

        for (i = 0; i < q->store.nobjects; i++) {
            object = &survey->objects[survey->entries[n].objects[i]];

            fact = &found.facts.objects[i];
            fact->found = object->found;
            fact->state = object->state;
            fact->since = object->since;
            fact->synced_at = pki_survey_synced(survey, q, i);
            fact->max_age = q->store.objects[i].max_age;
            fact->last = q->store.objects[i].last;
            fact->group = q->store.objects[i].group;
        }

        pki_question_facts(survey->view, q, &found, &facts);

        (void) pki_verdict(&item->verdict, &facts, &survey->view->policy,
                           survey->now, NULL);
    }
}


/* The earliest round of the resources that speak of the object. */

static time_t
pki_survey_synced(const pki_survey_t *survey, const pki_question_t *q,
    unsigned i)
{
    time_t                      first;
    unsigned                    k, n;
    const char                 *resource;
    const pki_survey_rounds_t  *rounds;

    first = PKI_RECORD_TIME_MAX;
    rounds = &survey->rounds[q->from[i]];

    for (k = 0; k < PKI_STORE_RESOURCES; k++) {
        resource = q->store.objects[i].resources[k];

        for (n = 0; resource != NULL && n < rounds->n; n++) {
            if (strcmp(rounds->names[n], resource) == 0
                && rounds->at[n] < first)
            {
                first = rounds->at[n];
            }
        }
    }

    return first;
}
