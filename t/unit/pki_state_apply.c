
/*
 * What becomes of the states that a directory tells: the rules of
 * pki_state_apply() but for what is put aside or deferred
 * (pki_state_settle.c), and what is pushed.
 */

#include "pki_test_state.h"


static void test_changes(void);
static void test_lives(long long seconds);
static void test_since(void);
static void test_mask(void);
static void test_news_of(void);
static void test_news_alias(void);
static void test_sticky(void);
static void test_twice(void);
static void test_alias(void);
static void test_owner(void);
static void test_owned(const char *owner);
static void test_recheck(void);
static void test_index(void);
static void test_names(void);
static void test_longest(void);
static void test_push(void);
static void test_garbage(void);
static void test_refused(void);


int
main(void)
{
    pki_err_t  err;

    test_start();

    test_changes();
    test_since();
    test_mask();
    test_news_of();
    test_news_alias();
    test_sticky();
    test_twice();
    test_alias();
    test_owner();
    test_recheck();
    test_index();
    test_names();
    test_longest();
    test_push();
    test_garbage();
    test_refused();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_stop();

    return pki_test_done();
}


static void
test_changes(void)
{
    pki_err_t           err;
    pki_state_object_t  objects[3] = {
        { .id = "device/a", .mask = TEST_ALL, .since = 100 },
        { .id = "device/b", .state = 8, .mask = TEST_ALL, .since = 100 },
        { .id = "user/c", .state = 1, .mask = TEST_ALL, .since = 100 }
    };

    test_reset();

    batch.token = "other";
    memset(&got, 0, sizeof(got));
    pki_state_apply(test_transport, &batch, objects, 3, test_applied, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    is_int(got.applied.changed, 0, "nothing changed");
    test_is("device/a", "(none)");
    test_news(NULL);

    batch.token = "t";
    test_apply(objects, 3, 3, 0, 0);
    test_is("device/a", "1 0 100");
    test_is("device/b", "1 8 100");
    test_is("user/c", "1 1 100");

    objects[0].since = 200;
    objects[1].since = 200;
    objects[1].state = 0;
    test_apply(objects, 3, 1, 0, 0);
    test_is("device/a", "1 0 100");
    test_is("device/b", "1 0 200");

    test_apply(NULL, 0, 0, 0, 0);
}


/* how long the record of d/1 is kept; -1: for ever */

static void
test_lives(long long seconds)
{
    redisReply  *reply;

    reply = test_redis("TTL pki:{dir}:object:d/1");
    ok(reply->integer <= seconds && reply->integer >= seconds - 10,
       "is kept for %lld s: %lld", seconds, reply->integer);
    freeReplyObject(reply);
}


static void
test_since(void)
{
    test_reset();

    test_tell("d/1", 0, TEST_ALL, 100);
    test_tell("d/1", PKI_OBJECT_DISABLED, TEST_ALL, 50);
    test_is("d/1", "1 8 50");
    test_tell("d/1", PKI_OBJECT_RISKY, TEST_ALL, 200);
    test_is("d/1", "1 32 50");
    test_tell("d/1", PKI_OBJECT_DELETED, TEST_ALL, 40);
    test_is("d/1", "1 1 40");
    test_tell("d/1", PKI_OBJECT_MISSING, TEST_ALL, 300);
    test_is("d/1", "1 512 300");
    test_lives(86400);
    test_tell("d/1", PKI_OBJECT_DELETED | PKI_OBJECT_MISSING, TEST_ALL, 310);
    test_is("d/1", "1 513 310");
    test_tell("d/1", PKI_OBJECT_DELETED, TEST_ALL, 320);
    test_is("d/1", "1 1 310");
    test_lives(-1);
    test_tell("d/1", 0, TEST_ALL, 330);
    test_is("d/1", "1 0 330");
}


static void
test_mask(void)
{
    pki_state_object_t  seen = { .id = "d/1", .state = 1, .since = 9 };

    test_reset();
    batch.round = 3;
    test_apply(&seen, 1, 0, 0, 0);
    test_is("d/1", "(none)");
    test_string("1 3 d/1", "HGET " TEST_DIR "index:devices d/1");
    batch.round = 0;

    /* to know one thing of an object is not to know the object */

    test_tell("d/1", PKI_OBJECT_DISABLED, PKI_OBJECT_DISABLED, 10);
    test_is("d/1", "1 1032 10");
    test_tell("d/1", PKI_OBJECT_DISABLED, TEST_ALL, 10);
    test_is("d/1", "1 8 10");
    test_tell("d/2", 0, TEST_ALL & ~PKI_OBJECT_UNCLEAR, 10);
    test_is("d/2", "1 1024 10");
    test_tell("d/2", PKI_OBJECT_RISKY, PKI_OBJECT_RISKY, 15);
    test_is("d/2", "1 1056 15");
    test_tell("d/1", PKI_OBJECT_RISKY | PKI_OBJECT_DELETED, PKI_OBJECT_RISKY,
              20);
    test_is("d/1", "1 40 10");
    test_tell("d/1", 0, PKI_OBJECT_DISABLED | PKI_OBJECT_DELETED, 30);
    test_is("d/1", "1 32 10");

    test_set("HSET " TEST_DIR "pending:devices d/1 %s", "1 1 1 1 *");
    test_set("ZADD " TEST_DIR "recheck 50 d/1");
    test_set("HSET " TEST_DIR "absent d/1 50");
    seen.alias = "x/1";
    test_apply(&seen, 1, 0, 0, 0);
    test_is("d/1", "1 32 10");
    test_string("1 1 1 1 *", "HGET " TEST_DIR "pending:devices d/1");
    test_string("50", "ZSCORE " TEST_DIR "recheck d/1");
    test_none("HGET " TEST_DIR "absent d/1");
}


/*
 * What becomes news when it is one of a listing, of a resource's first, and
 * when it is told directly, which never is a listing's; `was` is the record
 * before.
 */

static void
test_news_of(void)
{
    char                what[100];
    size_t              i;
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .since = 20 };

    static const struct {
        const char  *was;
        unsigned     state;
        int          stage;
        int          first;
        int          changed;
        int          staged;
        int          told;
    } cases[] = {

        /* new: fine, weak, bad */

        { NULL, 0, 0, 0, 1, 0, 1 },
        { NULL, 0, 0, 1, 1, 0, 1 },
        { NULL, 0, 1, 0, 1, 0, 1 },
        { NULL, 0, 1, 1, 1, 0, 0 },
        { NULL, PKI_OBJECT_MISSING, 1, 0, 1, 0, 1 },
        { NULL, PKI_OBJECT_MISSING, 1, 1, 1, 0, 1 },
        { NULL, PKI_OBJECT_UNCLEAR, 0, 0, 1, 0, 1 },
        { NULL, PKI_OBJECT_UNCLEAR, 1, 0, 1, 0, 1 },
        { NULL, PKI_OBJECT_UNCLEAR, 1, 1, 1, 0, 1 },
        { NULL, PKI_OBJECT_DISABLED, 0, 0, 1, 0, 1 },
        { NULL, PKI_OBJECT_DISABLED, 1, 0, 1, 0, 1 },
        { NULL, PKI_OBJECT_DISABLED, 1, 1, 1, 0, 1 },
        { NULL, PKI_OBJECT_DELETED | PKI_OBJECT_UNCLEAR, 1, 1, 1, 0, 1 },

        /* known and fine before */

        { "1 0 10", 0, 0, 0, 0, 0, 1 },
        { "1 0 10", 0, 0, 1, 0, 0, 1 },
        { "1 0 10", 0, 1, 0, 0, 0, 0 },
        { "1 0 10", 0, 1, 1, 0, 0, 0 },
        { "1 0 10", PKI_OBJECT_UNCLEAR, 0, 0, 1, 0, 1 },
        { "1 0 10", PKI_OBJECT_UNCLEAR, 1, 0, 1, 0, 1 },
        { "1 0 10", PKI_OBJECT_UNCLEAR, 1, 1, 1, 0, 1 },
        { "1 0 10", PKI_OBJECT_DISABLED, 0, 0, 1, 0, 1 },
        { "1 0 10", PKI_OBJECT_DISABLED, 1, 0, 0, 1, 0 },
        { "1 0 10", PKI_OBJECT_DISABLED, 1, 1, 0, 1, 0 },

        /* known and weak, which is no better than new */

        { "1 512 10", PKI_OBJECT_MISSING, 0, 0, 0, 0, 1 },
        { "1 512 10", PKI_OBJECT_MISSING, 1, 0, 0, 0, 0 },
        { "1 512 10", 0, 1, 0, 1, 0, 1 },
        { "1 512 10", 0, 1, 1, 1, 0, 1 },
        { "1 1024 10", PKI_OBJECT_DISABLED, 1, 0, 1, 0, 1 },
        { "1 1024 10", PKI_OBJECT_DISABLED, 1, 1, 1, 0, 1 },

        /* known and bad before */

        { "1 40 10", PKI_OBJECT_DISABLED | PKI_OBJECT_RISKY,
          0, 0, 0, 0, 1 },
        { "1 40 10", PKI_OBJECT_DISABLED | PKI_OBJECT_RISKY,
          1, 0, 0, 0, 0 },
        { "1 40 10", PKI_OBJECT_RISKY, 1, 0, 1, 0, 1 },
        { "1 40 10", PKI_OBJECT_DELETED, 1, 0, 0, 1, 0 },
        { "1 40 10", 0, 0, 0, 1, 0, 1 },
        { "1 40 10", 0, 1, 0, 1, 0, 1 },
        { "1 40 10", 0, 1, 1, 1, 0, 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_reset();

        if (cases[i].was != NULL) {
            test_set("SET " TEST_DIR "object:d/1 %s", cases[i].was);
        }

        batch.stage = cases[i].stage;
        batch.first = cases[i].first;
        o.state = cases[i].state;
        test_take(&o, 1, cases[i].changed, cases[i].staged, 0);

        (void) snprintf(what, sizeof(what), "stage %d, first %d, %s to %u",
                        cases[i].stage, cases[i].first,
                        cases[i].was ? cases[i].was : "new",
                        cases[i].state);
        test_heard(cases[i].told ? "d/1" : "", what);
    }

    /* what begins as unclear is not fine, though nothing bad was told */

    test_reset();
    batch.stage = 1;
    batch.first = 1;
    o.state = 0;
    o.mask = PKI_OBJECT_RISKY;
    test_take(&o, 1, 1, 0, 0);
    test_heard("d/1", "new and not known well");
}


/*
 * What an alias names is news with it when it comes and when it goes, in
 * whatever way it is told; in a first listing if there is a record: x/1 and
 * x/2 have one.
 */

static void
test_news_alias(void)
{
    int                 way;
    char                what[100];
    size_t              i;
    pki_state_object_t  o = { .id = "d/1", .since = 20 };

    /* directly, in a listing, in a first one */

    static const struct {
        const char  *alias;
        unsigned     mask;
        const char  *told[3];
    } steps[] = {
        { "x/1", TEST_ALL, { "d/1 x/1", "d/1 x/1", "x/1" } },
        { "x/1", TEST_ALL, { "d/1", "", "" } },
        { NULL, TEST_ALL, { "d/1", "", "" } },
        { "x/2", 0, { "", "", "" } },
        { "x/2", TEST_ALL, { "d/1 x/1 x/2", "d/1 x/1 x/2", "d/1 x/1 x/2" } },
        { "x/3", TEST_ALL, { "d/1 x/2 x/3", "d/1 x/2 x/3", "d/1 x/2" } },
        { "x/1", TEST_ALL, { "d/1 x/3 x/1", "d/1 x/3 x/1", "d/1 x/1" } },
        { "", TEST_ALL, { "d/1 x/1", "d/1 x/1", "d/1 x/1" } },
        { "x/3", TEST_ALL, { "d/1 x/3", "d/1 x/3", "d/1" } }
    };

    for (way = 0; way < 3; way++) {
        test_reset();
        test_set("SET " TEST_DIR "object:x/1 %s", "1 0 10");
        test_set("SET " TEST_DIR "object:x/2 %s", "1 8 10");
        batch.stage = way > 0;
        batch.first = way > 1;

        for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            o.alias = steps[i].alias;
            o.mask = steps[i].mask;
            test_take(&o, 1, o.alias != NULL && o.mask != 0 && i != 1, 0, 0);

            (void) snprintf(what, sizeof(what), "way %d, step %zu to \"%s\"",
                            way, i, o.alias ? o.alias : "(as it is)");
            test_heard(steps[i].told[way], what);
        }

        test_is("d/1", "1 0 20 x/3");
        test_is("x/1", "1 0 10");
        test_is("x/2", "1 8 10");
    }
}


static void
test_sticky(void)
{
    pki_state_object_t  good = { .id = "d/1", .mask = TEST_ALL, .since = 30 };

    test_reset();
    test_tell("d/1", PKI_OBJECT_RETIRED | PKI_OBJECT_DISABLED, TEST_ALL, 10);
    batch.sticky = PKI_OBJECT_RETIRED;
    test_tell("d/1", 0, TEST_ALL, 20);
    test_is("d/1", "1 2 10");
    test_apply(&good, 1, 0, 0, 0);
    test_is("d/1", "1 2 10");
    batch.sticky = 0;
    test_tell("d/1", 0, TEST_ALL, 40);
    test_is("d/1", "1 0 40");
}


static void
test_twice(void)
{
    pki_state_object_t  two[2] = {
        { .id = "u/1", .state = 1, .mask = TEST_ALL, .since = 100 },
        { .id = "u/1", .state = 8, .mask = TEST_ALL, .since = 110 }
    };

    test_reset();
    test_apply(two, 2, 1, 0, 0);
    test_is("u/1", "1 8 110");

    batch.sticky = PKI_OBJECT_DELETED;
    test_apply(two, 2, 0, 0, 0);
    test_is("u/1", "1 8 110");

    two[1].mask = PKI_OBJECT_RISKY;
    two[1].state = PKI_OBJECT_RISKY;
    test_apply(two, 2, 1, 0, 0);
    test_is("u/1", "1 33 110");

    two[0].id = "u/2";
    two[0].state = PKI_OBJECT_DISABLED;
    two[1].id = "u/2";
    two[1].mask = 0;
    test_apply(two, 2, 1, 0, 0);
    test_is("u/2", "1 8 100");
}


static void
test_owner(void)
{
    pki_state_object_t  o = { .id = "u/1", .mask = TEST_ALL, .since = 10 };

    test_reset();
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1", "owner");
    test_owned(NULL);

    o.owner = "user/1";
    test_take(&o, 1, 0, 0, 0);
    test_heard("u/1", "owner");
    test_owned("user/1");

    o.owner = NULL;
    test_take(&o, 1, 0, 0, 0);
    test_heard("u/1", "owner");
    test_owned("user/1");

    o.owner = "user/2";
    test_take(&o, 1, 0, 0, 0);
    test_heard("u/1", "owner");
    test_owned("user/2");

    o.owner = "";
    test_take(&o, 1, 0, 0, 0);
    test_heard("u/1", "owner");
    test_owned(NULL);
}


static void
test_owned(const char *owner)
{
    redisReply  *reply;

    reply = test_redis("HGET " TEST_DIR "owners u/1");

    if (owner == NULL) {
        is_int(reply->type, REDIS_REPLY_NIL, "nobody's");

    } else {
        is_str(reply->str, owner, "whose it is");
    }

    freeReplyObject(reply);
}


static void
test_alias(void)
{
    pki_state_object_t  o = { .id = "u/1", .mask = TEST_ALL, .since = 10 };

    test_reset();
    o.alias = "x/1";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1 x/1", "alias");
    test_is("u/1", "1 0 10 x/1");

    o.since = 20;
    o.alias = NULL;
    test_take(&o, 1, 0, 0, 0);
    test_heard("u/1", "alias");
    test_is("u/1", "1 0 10 x/1");

    o.alias = "x/2";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1 x/1 x/2", "alias");
    test_is("u/1", "1 0 10 x/2");

    o.alias = NULL;
    o.state = PKI_OBJECT_DISABLED;
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1", "alias");
    test_is("u/1", "1 8 20 x/2");

    o.alias = "";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1 x/2", "alias");
    test_is("u/1", "1 8 20");

    o.alias = "*";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/1 *", "alias");
    test_is("u/1", "1 8 20 *");
}


static void
test_recheck(void)
{
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .since = 1,
                              .recheck = 500 };

    test_reset();
    test_apply(&o, 1, 1, 0, 0);
    test_string("500", "ZSCORE " TEST_DIR "recheck d/1");
    o.recheck = 600;
    test_apply(&o, 1, 0, 0, 0);
    test_string("500", "ZSCORE " TEST_DIR "recheck d/1");
    o.recheck = 400;
    o.mask = 0;
    test_apply(&o, 1, 0, 0, 0);
    test_string("400", "ZSCORE " TEST_DIR "recheck d/1");
    o.recheck = 0;
    test_apply(&o, 1, 0, 0, 0);
    test_string("400", "ZSCORE " TEST_DIR "recheck d/1");
    o.mask = PKI_OBJECT_DISABLED | PKI_OBJECT_MISSING;
    test_apply(&o, 1, 0, 0, 0);
    test_none("ZSCORE " TEST_DIR "recheck d/1");

    test_set("HSET " TEST_DIR "absent d/1 5 d/2 5");
    test_apply(&o, 1, 0, 0, 0);
    test_none("HGET " TEST_DIR "absent d/1");
    test_string("5", "HGET " TEST_DIR "absent d/2");

    /* to know that a user is risky is not to have looked at the user */

    test_set("ZADD " TEST_DIR "recheck 400 d/2");
    o.id = "d/2";
    o.mask = PKI_OBJECT_RISKY;
    test_apply(&o, 1, 1, 0, 0);
    test_string("400", "ZSCORE " TEST_DIR "recheck d/2");
    test_string("5", "HGET " TEST_DIR "absent d/2");
    o.recheck = 300;
    test_apply(&o, 1, 0, 0, 0);
    test_string("300", "ZSCORE " TEST_DIR "recheck d/2");
}


static void
test_index(void)
{
    pki_state_object_t  o[3] = {
        { .id = "d/1", .key = "k=1", .mask = TEST_ALL },
        { .id = "d/2", .key = "*", .mask = TEST_ALL },
        { .id = "d/3", .mask = TEST_ALL, .state = 8 }
    };

    test_reset();
    batch.round = 9007199254740991LL;
    test_apply(o, 3, 3, 0, 0);
    test_string("1 9007199254740991 d/1", "HGET " TEST_DIR
                "index:devices k=1");
    test_string("1 9007199254740991 d/2", "HGET " TEST_DIR
                "index:devices %s", "*");
    test_string("1 9007199254740991 d/3", "HGET " TEST_DIR
                "index:devices d/3");

    batch.round = 0;
    o[0].id = "d/4";
    o[0].key = "k=4";
    test_apply(o, 3, 1, 0, 0);
    test_none("HGET " TEST_DIR "index:devices k=4");

    /* d/5 has taken the key of d/1, and then d/6 that of d/5 */

    batch.round = 10;
    o[0].id = "d/5";
    o[0].key = "k=1";
    o[1].id = "d/6";
    o[1].key = "k=1";
    test_set("ZADD " TEST_DIR "recheck 77 d/1");
    test_apply(o, 3, 2, 0, 0);
    test_string("1 10 d/6", "HGET " TEST_DIR "index:devices k=1");
    test_string("0", "ZSCORE " TEST_DIR "recheck d/1");
    test_string("0", "ZSCORE " TEST_DIR "recheck d/5");
    test_none("ZSCORE " TEST_DIR "recheck d/6");
    test_is("d/1", "1 0 0");
}


static void
test_names(void)
{
    pki_state_object_t  o = { .id = "u/1", .mask = TEST_ALL,
                              .name = "Jo.DO@Example.COM" };

    test_reset();
    test_apply(&o, 1, 1, 0, 0);
    test_string("u/1", "HGET " TEST_DIR "names jo.do@example.com");
    o.id = "u/2";
    o.name = "JO.do@example.com";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/2 u/1", "a name that moved");
    test_string("u/2", "HGET " TEST_DIR "names jo.do@example.com");
    o.name = "a name  with \xc3\x84 ";
    o.mask = 0;
    test_apply(&o, 1, 0, 0, 0);
    test_string("u/2", "HGET " TEST_DIR "names %s", "a name  with \xc3\x84 ");

    /* in a listing too; an answer may stand on what it has led to so far */

    batch.stage = 1;
    o.id = "u/3";
    o.mask = TEST_ALL;
    o.name = "jo.do@example.com";
    test_take(&o, 1, 1, 0, 0);
    test_heard("u/3 u/2", "a name that moved in a listing");
    test_take(&o, 1, 0, 0, 0);
    test_heard("", "and that stays");
}


static void
test_longest(void)
{
    int                 i;
    char                name[PKI_STATE_NAME_MAX + 1];
    char                key[PKI_STATE_KEY_MAX + 1];
    char                alias[PKI_OBJECT_ID_SIZE];
    pki_state_object_t  o[PKI_STATE_APPLY_MAX];

    static char  ids[PKI_STATE_APPLY_MAX][PKI_OWNER_SIZE];

    test_reset();
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    memset(alias, 'a', sizeof(alias));
    alias[sizeof(alias) - 1] = '\0';

    for (i = 0; i < PKI_STATE_APPLY_MAX; i++) {
        memset(ids[i], 'i', PKI_OWNER_SIZE - sizeof("object:dir:"));
        ids[i][0] = (char) ('A' + i % 16);
        ids[i][1] = (char) ('A' + i / 16);
        o[i].id = ids[i];
        o[i].key = key;
        o[i].alias = alias;
        o[i].owner = alias;
        o[i].name = name;
        o[i].state = 0xffff;
        o[i].mask = 0xffff;
        o[i].since = 253402300799;
        o[i].recheck = 253402300799;
    }

    batch.round = 9007199254740991LL;
    batch.settle = 253402300799;
    batch.settled = 253402300799;
    batch.sticky = 0xffff;
    test_take(o, PKI_STATE_APPLY_MAX, PKI_STATE_APPLY_MAX, 0, 0);

    for (i = 0; i < PKI_STATE_APPLY_MAX; i++) {
        test_told(ids[i]);
        test_told(alias);
    }
}


static void
test_push(void)
{
    time_t              now, at;
    pki_err_t           err;
    redisReply         *reply;
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .state = 8,
                              .since = 10, .key = "k", .name = "N" };

    test_reset();
    test_set("DEL " TEST_DIR "lease");
    now = time(NULL);
    memset(&got, 0, sizeof(got));
    pki_state_push(test_transport, "dir", 0, &o, 1, test_applied, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "pushed: %s", got.error);
    is_int(got.applied.changed, 1, "changed");
    test_is("d/1", "1 8 10");
    test_string("d/1", "HGET " TEST_DIR "names n");
    test_none("EXISTS " TEST_DIR "index:push");
    test_told("d/1");

    reply = test_redis("HGET " TEST_DIR "sync push.at");
    at = reply->str ? atoll(reply->str) : 0;
    ok(at >= now && at <= time(NULL), "a round that is complete now");
    freeReplyObject(reply);

    o.state = 0;
    memset(&got, 0, sizeof(got));
    pki_state_push(test_transport, "dir", 8, &o, 1, test_applied, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.applied.changed, 0, "sticky");
    test_told("d/1");
    test_is("d/1", "1 8 10");
    memset(&got, 0, sizeof(got));
    pki_state_push(test_transport, "dir", 0x10000, &o, 1, test_applied,
                   &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "what cannot be sticky");

    test_set("HSET " TEST_DIR "sync push.at 5");
    memset(&got, 0, sizeof(got));
    pki_state_push(test_transport, "dir", 0, NULL, 0, test_applied, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "nothing new");
    reply = test_redis("HGET " TEST_DIR "sync push.at");
    ok(reply->str && atoll(reply->str) >= now, "is news as well");
    freeReplyObject(reply);
    test_news(NULL);

    memset(&got, 0, sizeof(got));
    pki_state_push(test_transport, "d r", 0, &o, 1, test_applied, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "a bad directory");
}


/* Nothing is written when something cannot be read. */

static void
test_garbage(void)
{
    size_t              i;
    pki_err_t           err;
    pki_state_object_t  o[2] = {
        { .id = "d/1", .mask = TEST_ALL, .state = 8 },
        { .id = "d/2", .mask = TEST_ALL, .state = 8 }
    };

    static const char *const  bad[] = {
        "", "1 0", "1 0 5 ", "1 0 5  x", "1 0 5 x y", "2 0 5", "1 0 5x",
        "1 -1 5", "1 0 5\n"
    };

#define test_unreadable(what)                                               \
    memset(&got, 0, sizeof(got));                                           \
    pki_state_apply(test_transport, &batch, o, 2, test_applied, &got);      \
    (void) pki_redis_sync_wait(test_sync, &err);                            \
    is_int(got.result, PKI_STORE_FAILED, "%s: %s", what, got.error);        \
    test_is("d/1", "1 0 1");                                                \
    test_news(NULL)

    test_reset();
    batch.round = 1;
    test_set("SET " TEST_DIR "object:d/1 %s", "1 0 1");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_set("SET " TEST_DIR "object:d/2 %s", bad[i]);
        test_unreadable(bad[i]);
    }

    test_set("DEL " TEST_DIR "object:d/2");
    test_set("LPUSH " TEST_DIR "object:d/2 x");
    test_unreadable("a list");
    test_set("DEL " TEST_DIR "object:d/2");
    test_set("HSET " TEST_DIR "index:devices d/2 x");
    test_unreadable("a bad entry of the index");
    test_set("DEL " TEST_DIR "index:devices");
    test_set("SET " TEST_DIR "index:devices x");
    test_unreadable("an index that is none");
}


static void
test_refused(void)
{
    char                text[PKI_STATE_NAME_MAX + 2];
    pki_err_t           err;
    pki_state_batch_t   b;
    pki_state_object_t  o;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    test_reset();

#define test_fails(change, count)                                           \
    do {                                                                    \
        b = batch;                                                          \
        memset(&o, 0, sizeof(o));                                           \
        o.id = "d/1";                                                       \
        change;                                                             \
        memset(&got, 0, sizeof(got));                                       \
        pki_state_apply(test_transport, &b, &o, count, test_applied, &got); \
        is_int(got.calls, 0, "not called inside");                          \
        (void) pki_redis_sync_wait(test_sync, &err);                        \
        is_int(got.calls, 1, "called once");                                \
        is_int(got.result, PKI_STORE_FAILED, #change ": %s", got.error);    \
    } while (0)

    test_fails(b.directory = "a b", 1);
    test_fails(b.directory = text, 1);
    test_fails(b.token = "", 1);
    test_fails(b.resource = "a:b", 1);
    test_fails(b.round = -1, 1);
    test_fails(b.sticky = 0x10000, 1);
    test_fails(b.settled = -1, 1);
    test_fails(b.settle = -1, 1);
    test_fails(o.id = "", 1);
    test_fails(o.id = "a b", 1);
    test_fails(o.id = "a\tb", 1);
    test_fails(o.id = text, 1);
    test_fails(o.key = "", 1);
    test_fails(o.key = "a b", 1);
    test_fails(o.key = text, 1);
    test_fails(o.alias = "a b", 1);
    test_fails(o.owner = "a b", 1);
    test_fails(o.owner = text, 1);
    test_fails(o.alias = text, 1);
    test_fails(o.name = "", 1);
    test_fails(o.name = "a\nb", 1);
    test_fails(o.name = text, 1);
    test_fails(o.state = 0x10000, 1);
    test_fails(o.mask = 0x10000, 1);
    test_fails(o.since = -1, 1);
    test_fails(o.recheck = -1, 1);
    test_fails((void) 0, PKI_STATE_APPLY_MAX + 1);

    batch.resource = "";
    memset(&got, 0, sizeof(got));
    pki_state_settle(test_transport, &batch, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "settle: %s", got.error);
}
