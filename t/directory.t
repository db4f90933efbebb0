# The state of a device or a user decides about its certificates, as soon as
# a round of the directory has told it.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;

my $t = PKI::Test->new;
my $ca = $t->ca('ca');
my $device = 'd6b58414-60ed-426b-b382-276a3e8d626d';
my $user = '0c193be8-cac3-4660-8fed-743bf16a3df1';
my %cert = (
    device => $t->cert($ca, 'device', kind => 'Device', guid => $device),
    user => $t->cert($ca, 'user', kind => 'User', guid => $user),
    static => $t->cert($ca, 'static'),
    jamf => $t->cert($ca, 'jamf', kind => 'JamfUserWithComputer', id => 4,
                     user => 17),
);
my $token = $t->token('admin', 'manage');

$t->redis;
$t->record('demo', values %cert);

# polled elsewhere: this story plays the poller

my %directories = (aad => ['entra', 'poll off; max_age off;'],
                   pro => ['jamf', 'poll off; max_age off;']);
my $n = $t->nginx(workers => 2, directories => \%directories);

ok($n->ready, 'ready');

sub status_of {
    my $r = $n->ask($ca, $cert{ +shift });
    return $r->{cert} || $r->{status};
}

sub told {
    my ($directory, $id, $state) = @_;

    my ($status, $text) = $t->admin('object', '--redis', $t->redis_addr,
                                    '--directory', $directory, '--id', $id,
                                    '--state', $state);

    is($status, 0, "$directory: $id: $state") or diag($text);
}

# news is a message away

sub becomes {
    my ($name, $status, $what) = @_;

    ok(wait_until(3, sub { status_of($name) eq $status }),
       "$name is $status: $what")
        or diag(status_of($name));
    is(status_of($name), $status, 'in every worker') for 1 .. 4;
}

# before the first round

is(status_of('static'), 'good', 'bound to nothing: good');
is(status_of($_), 'tryLater', "$_: no round yet, no answer")
    for qw(device user jamf);

told('aad', "device/$device", 'none');
becomes('device', 'good', 'the directory knows it');
is(status_of('user'), 'tryLater', 'a user that it does not know');
told('aad', "user/$user", 'none');
becomes('user', 'good', 'known');

# every state

for (['disabled', 6], ['noncompliant', 6], ['risky', 6], ['deleted', undef],
     ['retired', undef], ['endpoint', undef])
{
    my ($state, $reason) = @$_;

    told('aad', "device/$device", $state);
    becomes('device', 'revoked', $state);
    is($n->ask($ca, $cert{device})->{reason}, $reason, 'on hold')
        if defined $reason;
    is(status_of('user'), 'good', 'the other is not touched');
    told('aad', "device/$device", 'none');
    becomes('device', 'good', "no longer $state");
}

# several at once, from several sides

told('aad', "user/$user", 'disabled,risky');
becomes('user', 'revoked', 'disabled and risky');
is($n->revoke($token, $cert{user}, 1)->{status}, 200, 'and by hand');
is($n->ask($ca, $cert{user})->{reason}, 1, 'for good beats a hold');
told('aad', "user/$user", 'none');
sleep 0.2;
is(status_of('user'), 'revoked', 'and stays');

my $r = $n->api('GET', 'certificates/' . serial_of($cert{device}),
                token => $token);

is($r->{status}, 200, 'the REST call');
told('aad', "device/$device", 'disabled');
$r = $n->api('GET', 'certificates/' . serial_of($cert{device}),
             token => $token);
like($r->{body}, qr/disabled/, 'tells the cause');
like($r->{body}, qr/aad/, 'and the directory');

# two objects

told('pro', 'jamf-computer/4', 'none');
is(status_of('jamf'), 'tryLater', 'one of two is not known');
told('pro', 'jamf-user/17', 'none');
becomes('jamf', 'good', 'both are');
told('pro', 'jamf-user/17', 'deleted');
becomes('jamf', 'revoked', 'one is deleted');

# a directory that has not been heard of for too long

my $strict = $t->nginx(issuer => 'validity good 2s;',
                       directories => { aad => ['entra',
                                                'poll off; max_age 2s;'] });

ok($strict->ready, 'ready');
told('aad', "device/$device", 'none');
is($strict->ask($ca, $cert{device})->{cert}, 'good', 'max_age: fresh');
ok(wait_until(6, sub {
       $strict->ask($ca, $cert{device}, nonce => 'x' x 8)->{status}
           eq 'tryLater'
   }), 'too old: no answer');
told('aad', "device/$device", 'none');
ok(wait_until(3, sub {
       ($strict->ask($ca, $cert{device})->{cert} || '') eq 'good'
   }), 'fresh again');

$t->done;
