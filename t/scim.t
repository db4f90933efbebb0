# Users of a SCIM server, as their certificates see them: active or not, in
# all the ways that servers write it, in pages by index and by cursor.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, scim => {
    text => 'page 4; backoff 300ms;', options => { cap => 3 },
});
my $s = $d->{sim}{scim};
my $n = $d->{nginx};

sub failing {
    my ($directory, $regex, $what) = @_;

    my $error = '';

    ok(wait_until(10, sub {
        $error = ($d->resource($directory, 'users') || {})->{error} // '';
        $error =~ $regex
    }), "$what is told") or diag("the error is \"$error\"");
}

my @users = map { $s->add('user', userName => "u$_\@example.com") } 1 .. 10;
my @certs = map { $d->cert('user', User => $_->{id}) } @users;

$d->becomes($certs[$_], 'good', "user $_") for 0, 5, 9;

my @pages = $s->log('/Users\?');

is(scalar(grep { $_->{headers}{authorization} ne 'Bearer scim-secret' }
          @pages), 0, 'the token of the file');
ok((grep { $_->{target} =~ /startIndex=4&/ } @pages),
   'the second page begins behind the rows that came');

# active

$s->change('user', $users[0]{id}, active => PKI::Sim::false);
$d->becomes($certs[0], 'hold', 'not active');
is($d->status($certs[5]), 'good', 'another is');
$s->change('user', $users[0]{id}, active => PKI::Sim::true);
$d->becomes($certs[0], 'good', 'active');

$s->option(active_text => PKI::Sim::true);
$d->round('scim', 'users');
is($d->status($certs[0]), 'good', '"true" as a string');
$s->change('user', $users[0]{id}, active => PKI::Sim::false);
$d->becomes($certs[0], 'hold', '"false" as a string');
$s->change('user', $users[0]{id}, active => PKI::Sim::true);
$d->becomes($certs[0], 'good', '"true" as a string');
$s->option(active_text => PKI::Sim::false);

# "active" is a place of the listing's second row, which is the second user

for ([delete => '/Resources/1/active'],
     [set => '/Resources/1/active', to => undef],
     [set => '/Resources/1/active', to => 1],
     [set => '/Resources/1/active', to => 'yes'])
{
    my @edit = @$_;
    my $what = exists $edit[3] ? $edit[3] // 'null' : 'absent';

    $s->fault({ path => 'Users\?startIndex=1&', times => 0,
                do => { mangle => [{ @edit }] } });
    $d->becomes($certs[1], 'tryLater', "active is $what");
    is($d->status($certs[0]), 'good', 'another is good');
    $s->faults_clear;
    $d->becomes($certs[1], 'good', 'active is told again');
}

# drift: nothing follows from absence

$s->option(drift => 1);
failing('scim', qr/holds no "Resources"/, 'a total that grows');
$s->option(drift => 1, absent_resources => PKI::Sim::false);
failing('scim', qr/broke off at 10 of 11/, 'also with an empty page');
$s->option(drift => -1, absent_resources => PKI::Sim::true);
failing('scim', qr/changed while/, 'one that shrinks');
$s->delete('user', $users[2]{id});
$d->stays($certs[2], 'good', 'deleted, but the listing drifts', 0.8);
$s->option(drift => 0);
$d->becomes($certs[2], 'revoked', 'deleted: a 404 by id');
$s->restore('user', $users[2]{id});
$d->round('scim', 'users');
is($d->status($certs[2]), 'revoked', 'deleted once');

# what is no answer of SCIM is no absence

$s->fault({ path => '/Users/', times => 0,
            do => { status => 404, html => 'nothing here' } });
$s->delete('user', $users[3]{id});
$d->stays($certs[3], 'good', 'an HTML 404 is no absence', 1);
$s->faults_clear;
$d->becomes($certs[3], 'revoked', 'one of SCIM is', 20);

# cursors

$s->option(cursor => PKI::Sim::true, cap => 2);
$s->log_clear;
$d->round('scim', 'users');
ok((grep { $_->{target} =~ /[?&]cursor=/ } $s->log), 'by cursor');
$s->change('user', $users[9]{id}, active => PKI::Sim::false);
$d->becomes($certs[9], 'hold', 'the last one, by cursor');
$s->change('user', $users[9]{id}, active => PKI::Sim::true);
$d->becomes($certs[9], 'good', 'and active again');
$s->fault({ path => 'cursor=', do => { status => 400, json => {
    schemas => ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status => '400', scimType => 'expiredCursor' } } });
$d->round('scim', 'users');
ok(!@{ $s->faults }, 'a cursor has expired');
is($d->status($_), 'good', 'which is no loss') for @certs[0, 4, 9];
$s->delete('user', $users[4]{id});
$d->becomes($certs[4], 'revoked', 'deleted, by cursor');
$s->option(cursor => PKI::Sim::false, cap => 200);

# nobody is left

$s->delete('user', $_->{id}) for grep { $_ != $users[9] } @users[5 .. 9];
$s->delete('user', $users[$_]{id}) for 0, 1;
$d->becomes($certs[$_], 'revoked', 'all but one deleted') for 0, 5;
is($d->status($certs[9]), 'good', 'the one is good');
$s->delete('user', $users[9]{id});
$d->becomes($certs[9], 'revoked', '"Resources" left out: nobody is there');

# by externalId

my $e = PKI::Directory->new($t, scim => {
    name => 'ext', sim => $s, text => 'external_id externalId;',
});
my $guid = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $ann = $s->add('user', externalId => uc $guid);
my $bob = $s->add('user', externalId => 'bob', userName => 'bob');
my $cert = $e->cert('ann', User => $guid);

$s->add('user', userName => 'carol');
$e->becomes($cert, 'good', 'by externalId');

my $start = time;

is($e->status($e->cert('ann', User => $ann->{id})), 'tryLater',
   'not by the id');
ok(time - $start < 1, 'for which nobody waits: it cannot be looked up');
$s->change('user', $ann->{id}, active => PKI::Sim::false);
$e->becomes($cert, 'hold', 'not active');
$s->change('user', $ann->{id}, active => PKI::Sim::true);
$e->becomes($cert, 'good', 'active');
$s->delete('user', $ann->{id});
$e->becomes($cert, 'revoked', 'deleted: looked up by the id', 15);
ok((grep { $_->{target} =~ m{/Users/\Q$ann->{id}\E\?} && $_->{status} == 404 }
    $s->log), 'of the server');

# a token that is refused

$s->option(token => 'another');
failing('scim', qr/401/, 'a refused token');
is($n->log =~ /scim-secret/ ? 1 : 0, 0, 'the token is not in the log');

$t->done;
