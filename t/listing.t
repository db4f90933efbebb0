# What listings of a directory may look like: pages with long links, changes
# between two of them, duplicates, replays, replies that are cut, too large,
# or no such thing.  Nobody is revoked, and nobody is good, by mistake.

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(encode_base64);
use PKI::Test;
use PKI::Directory;

my $list = '^/v1\.0/devices\?';
my $gone = '00000000-0000-4000-8000-00000000dead';

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, entra => {
    text => 'full 0; page 3; backoff 100ms; compliance on;',
    options => { token_length => 3000 },
});
my $n = $d->{nginx};
my $g = $d->{sim}{graph};
my (@device, @cert);

sub device {
    my (%fields) = @_;

    push @device, $g->add('device', %fields);
    push @cert, $d->cert('device', Device => $device[-1]{deviceId});

    return $#device;
}

# faults of the first page of a listing, one after the other, until they are
# over

sub faults {
    my ($what, @do) = @_;

    $g->fault(map { { path => "$list(?!.*skiptoken)", do => $_ } } @do);
    ok(wait_until(20, sub { !@{ $g->faults } }), "$what: asked again");
}

sub redis_count { return $t->redis_cli('HLEN', "pki:{$_[0]}:index:$_[1]") }
sub object { return $t->redis_cli('GET', "pki:{$_[0]}:object:$_[1]") }

# after a whole round that begins now

sub all_good {
    my ($what) = @_;

    my $is;
    my $number = sub {
        $t->redis_cli('HGET', 'pki:{entra}:sync', 'devices.round');
    };
    my $round = $number->() + 2;
    my $good = join ' ', ('good') x 8;

    wait_until(10, sub { $number->() >= $round });
    wait_until(5, sub {
        ($is = join ' ', map { $d->status($_) } @cert[0 .. 7]) eq $good
    });
    is($is, $good, "$what: all are good");
}

# C1: links are followed to the letter

device() for 1 .. 8;
$d->becomes($cert[7], 'good', 'C1: the last of three pages');
all_good('C1');

my @links = grep { $_->{target} =~ /skiptoken/ } $g->log($list);

cmp_ok(scalar @links, '>=', 2, 'C1: further pages');
is(scalar(grep { $_->{status} != 200 } @links), 0, 'C1: to the letter');
cmp_ok(length $links[0]{target}, '>', 2000, 'C1: long');
like($links[0]{target}, qr/%2b%2F/, 'C1: escapes are as they were');

# C2: between two pages one object comes, one goes, one changes; and a row is
# left out, which proves nothing

my $new = device(deviceId => '00000000-0000-4000-8000-0000000c0002');
my $disabled = device();
my $deleted = device();

$d->becomes($cert[$_], 'good', 'C2: enrolled') for $new, $deleted;
$g->delete('device', $device[$new]{id}, hard => 1);

$g->fault({ path => "$list(?!.*skiptoken)", do => {
    then => [
        [POST => '/sim/objects', { kind => 'device', id =>
            'aaaaaaaa-0000-4000-8000-0000000c0002', deviceId =>
            '00000000-0000-4000-8000-0000000c0003' }],
        [PATCH => "/sim/objects/device/$device[$disabled]{id}",
         { accountEnabled => PKI::Sim::false }],
        [DELETE => "/sim/objects/device/$device[$deleted]{id}", undef],
    ],
    mangle => [{ drop => '/value', from => 1, count => 1 }],
}});

my $between = $d->cert('between', Device =>
                       '00000000-0000-4000-8000-0000000c0003');

ok(wait_until(5, sub { !@{ $g->faults } }), 'C2: a page that was told');
$d->becomes($between, 'good', 'C2: one that came');
$d->becomes($cert[$disabled], 'hold', 'C2: one that was disabled');
$d->becomes($cert[$deleted], 'revoked', 'C2: one that went');
$d->becomes($cert[$new], 'revoked', 'C2: one that was gone before');
ok(wait_until(5, sub { $g->log("^/v1\\.0/devices\\(deviceId='"
                              . $device[1]{deviceId}) }),
   'C2: what was not listed is looked up');
all_good('C2');

# C3: the same object again, within a page and on another

my $known = redis_count('entra', 'devices');

$g->fault({ path => "$list(?!.*skiptoken)", times => 0, do => { mangle => [
    { duplicate => '/value/0' }, { duplicate => '/value/1', end => 1 },
    { set => '/value/-', to => { %{ $device[6] },
                                 accountEnabled => PKI::Sim::false } },
]}});
$d->stays($cert[6], 'good', 'C3: what a later page says counts', 1);
all_good('C3');
is(redis_count('entra', 'devices'), $known, 'C3: known once each');
$g->faults_clear;

# C9: no part of a page that was cut; the other two ends are of a chunked one

my $body = qq({"value":[{"id":"$gone","deviceId":"$gone",)
           . qq("accountEnabled":true,"displayName":"Z\\u00fcrich \xC3\xA9"}]});

faults('C9', { body => $body, truncate => length($body) - 2 },
       { body => $body, truncate => index($body, '\\u00') + 3 },
       { body => $body, truncate => index($body, "\xC3") + 1 },
       { truncate => 100 }, { truncate => 'chunked', mangle => [
           { set => '/value/-', to => { id => $gone, deviceId => $gone } }] });
all_good('C9');
is(object('entra', "device/$gone"), '', 'C9: nothing of them was taken');
unlike($n->log, qr/\[error\]/, 'C9: a retry is no failure');

# C11: more than anybody sends

my ($worker) = grep { (() = glob "/proc/$_/task/*") > 1 } $n->workers;
my $peak = sub {
    return slurp("/proc/$worker/status") =~ /VmHWM:\s+(\d+)/ ? $1 : 0;
};

ok($worker, 'C11: the worker with the poller');

my $before = $peak->();

faults('C11: 52 MB', { huge => 52 });
cmp_ok($peak->() - $before, '<', 48 << 10, 'C11: its memory is bounded');
faults('C11: a string of 1 MB', { string => 1 });
faults('C11: many members', { mangle => [
    { unknown => '/value/0', count => 100_000 },
    { unknown => '', count => 100_000 } ]});
faults('C11: deep', ({ nest => 10_000 }) x 7);
all_good('C11');
like($n->log, qr/\[error\].*"entra": "devices": unreadable reply: /,
     'C11: the log says so');

faults('C11: a link of 1 MB', { nextLink => 'http://x/' . 'x' x (1 << 20) });
ok(wait_until(5, sub { $n->log =~ /the next link of devices is no link/ }),
   'C11: refused, with a line');

# C12: members that nobody knows, in any order

$g->fault(map { { path => $list, times => 3, do => { mangle => $_ } } }
          [{ unknown => '/value/*' }, { unknown => '' }],
          [{ order => ['value', '*'] }],
          [{ order => ['@odata.nextLink', 'value', '*'] },
           { members => 'reverse' }]);
$g->change('device', $device[7]{id}, accountEnabled => PKI::Sim::false);
$d->becomes($cert[7], 'hold', 'C12: the last page');
ok(wait_until(10, sub { !@{ $g->faults } }), 'C12: all forms');
$g->change('device', $device[7]{id}, accountEnabled => PKI::Sim::true);
$d->becomes($cert[7], 'good', 'C12: the last page');
all_good('C12');

# C13: what is not told, or not as it should be, is not known

for (['null', undef], ['a string', 'true'], ['a number', 1], ['an object', {}],
     ['an array', [JSON::PP::true]])
{
    my ($what, $value) = @$_;
    my $enabled = device(accountEnabled => $value);
    my $compliant = device(isCompliant => $value // 'yes');

    $d->becomes($cert[$_], 'tryLater', "C13: $what", 3)
        for $enabled, $compliant;

    my $id = "device/$device[$compliant]{deviceId}";

    ok(wait_until(5, sub { object('entra', $id) =~ /^1 / }),
       "C13: $what: taken") or diag(object('entra', $id));
    is($d->status($cert[$_]), 'tryLater', "C13: $what: and not good")
        for $enabled, $compliant;
}

my $null = device(isCompliant => undef);

$d->becomes($cert[$null], 'hold', 'C13: nobody has said compliant');
$g->add('device', deviceId => $_) for 17, 'ffffffff-ffff';
ok(wait_until(5, sub { $n->log =~ /"devices": 2 unreadable items/ }),
   'C13: an id that is none');

my $missing = sub {
    return { path => shift, times => 0, do => { mangle => [
        { delete => shift() . 'accountEnabled' } ]}};
};

$g->fault($missing->("$list(?!.*skiptoken)", '/value/*/'));
$g->change('device', $device[0]{id}, accountEnabled => PKI::Sim::false);
$d->becomes($cert[0], 'hold', 'C13: a member that is missing is looked up');
$g->change('device', $device[0]{id}, accountEnabled => PKI::Sim::true);
$d->becomes($cert[0], 'good', 'C13: a member that is missing is looked up');
$g->fault($missing->('^/v1\.0/devices\(', '/'));
$d->becomes($cert[0], 'tryLater', 'C13: missing there too');
$g->faults_clear;
$d->becomes($cert[0], 'good', 'C13: told again');

$g->fault({ path => $list, times => 0, do => { mangle => [
    { twice => { name => 'accountEnabled', to => JSON::PP::false } }]}});
$d->becomes($cert[0], 'tryLater', 'C13: two values for one name');
$g->faults_clear;
all_good('C13');

# C14: names

my @names = ("\x{1F600}\@example.com", "\x{202E}moc.elpmaxe\@a",
             "a\x{0}b\@example.com", "a\nb\x1B[31m\@example.com",
             '\ud800@example.com', '\ud83d\ude00@example.com',
             'raw@example.com');

# what no JSON of ours would hold

$g->fault({ path => '^/v1\.0/users\?', times => 0, do => { mangle => [
    { raw => '\\\\ud800', to => '\\ud800' },
    { raw => '\\\\ud83d\\\\ude00', to => '\\ud83d\\ude00' },
    { raw => 'raw@', to64 => encode_base64("\xFF\xC0\x80\@", '') },
]}});

my @users = map { $g->add('user', userPrincipalName => $_) } @names;
my @of = map { $d->cert('user', User => $_->{id}) } @users;

ok(wait_until(5, sub { redis_count('entra', 'users') == @names }),
   'C14: users with odd names');
$d->becomes($of[$_], 'good', "C14: name $_") for 0 .. $#of;

my %id = split /\n/, $t->redis_cli('HGETALL', 'pki:{entra}:names');

is(join(' ', grep { /example/ } keys %id), "\xF0\x9F\x98\x80\@example.com",
   'C14: only names that are such lead to them');
$g->faults_clear;
faults('C14: a mark of byte order', { mangle => [{ bom => 1 }] });
all_good('C14');
unlike($n->log, qr/[^\n\x20-\x7E]/, 'C14: nothing odd in the log');

# C16: no listing at all; after none of them is there another page to ask for

$g->log_clear;
faults('C16', { body => '' }, { json => {} }, { json => [] },
       { body => 'null' }, { html => '<html>Please log in</html>' },
       { headers => { 'Content-Type' => 'text/html' } },
       { json => { value => undef } }, { json => { value => {} } });
all_good('C16');

my @log = $g->log('^/v1\.0/devices');
my @after = map { $log[$_ + 1]{target} } grep { $log[$_]{fault} } 0 .. $#log;

is(scalar @after, 8, 'C16: eight');
is(scalar(grep { /skiptoken/ } @after), 0, 'C16: none of them is taken');
like($n->log, qr/the reply about devices is not what was asked for/,
     'C16: a line');
faults('C16', ({ html => '<html>Please log in</html>' }) x 7);
ok(wait_until(10, sub { $n->log =~ /"devices": recovered after/ }),
   'C16: recovers');

# a lookup that tells of another object than the one that was asked for

my $asked = '00000000-0000-4000-8000-0000000a5ced';
my $stranger = $d->cert('stranger', Device => $asked);

$g->log_clear;
$g->fault({ path => '^/v1\.0/devices\(', times => 0, do => {
    json => $device[0] }});
isnt($d->status($stranger), 'good', 'another object is no answer');
ok(wait_until(5, sub { $g->log("deviceId='$asked") }), 'it was looked up');
$d->stays($stranger, 'tryLater', 'another object is no answer', 0.5);
is(object('entra', "device/$asked"), '', 'and nothing was taken');
unlike($n->log, qr/S3cr|eyJ|skiptoken|deltatoken/,
       'no secret, token or link in the log');

$n->stop;
$t->done;
