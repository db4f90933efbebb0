# Computers, mobile devices and users of Jamf Pro, as their certificates see
# them: a real poller against a simulated server.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;
use POSIX qw(strftime);

my $day = 24 * 3600;

sub ago { strftime '%Y-%m-%dT%H:%M:%SZ', gmtime time - $_[0] * $day }

# a record that was heard of so many days ago

sub seen {
    my ($kind, $days) = @_;

    return (general => $kind eq 'computer'
            ? { lastContact => ago($days), lastCheckIn => ago($days),
                reportDate => ago($days) }
            : { lastContactDate => ago($days),
                lastInventoryUpdateDate => ago($days) });
}

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, jamf => {
    text => 'unmanaged on; silent 30d;',
});
my $j = $d->{sim}{jamf};

# everything twice: what happens to one does not happen to the other

for (4, 5) {
    $j->add('computer', id => $_, username => 'ann', seen('computer', 1));
    $j->add('mobileDevice', id => $_, seen('mobileDevice', 1));
}

$j->add('jamfUser', id => $_, username => "user$_") for 17 .. 26;

my %cert = (
    computer => $d->cert('computer', JamfComputer => 4),
    other    => $d->cert('other', JamfComputer => 5),
    device   => $d->cert('device', JamfDevice => 4),
    user     => $d->cert('user', JamfUser => 17),
    uc       => $d->cert('uc', JamfUserWithComputer => 4, 18),
    ud       => $d->cert('ud', JamfUserWithDevice => 4, 19),
    nobody   => $d->cert('nobody', JamfUserWithComputer => 4, 99),
);

$d->becomes($cert{$_}, 'good', $_) for qw(computer other device user uc ud);

# managed and heard of

for ([computer => 'computer', 'uc'], [mobileDevice => 'device', 'ud']) {
    my ($kind, $own, $user) = @$_;

    $j->change($kind, 4, managed => PKI::Sim::false);
    $d->becomes($cert{$own}, 'hold', "$own unmanaged");
    $d->becomes($cert{$user}, 'hold', 'and the user on it');
    $j->change($kind, 4, managed => PKI::Sim::true);
    $d->becomes($cert{$own}, 'good', "$own managed");
    $d->becomes($cert{$user}, 'good', 'and the user on it');

    $j->change($kind, 4, seen($kind, 31));
    $d->becomes($cert{$own}, 'hold', "$own silent");
    $j->change($kind, 4, seen($kind, 29));
    $d->becomes($cert{$own}, 'good', "$own heard of");
}

# the user that a record names is text: nothing hangs on it

for (['computer', 'computer', 'uc'], ['mobileDevice', 'device', 'ud']) {
    my ($kind, @names) = @$_;

    for my $user ('bob', 'nobody at all', '', "\x{201e}\x{1f600}") {
        $j->change($kind, 4, username => $user);
        $d->round('jamf', $kind eq 'computer' ? 'computers' : 'mobile');
        is($d->status($cert{$_}), 'good', "$_: used by another") for @names;
    }
}

# of two, either deletion counts

$d->becomes($cert{nobody}, 'hold', 'a user that was never there');
is($d->status($cert{$_}), 'good', "$_ does not mind") for qw(computer uc);

$j->delete('jamfUser', 18);
$d->becomes($cert{uc}, 'revoked', 'user of a computer deleted');
is($d->status($cert{computer}), 'good', 'the computer is there');
$j->delete('jamfUser', 17);
$d->becomes($cert{user}, 'revoked', 'user deleted');
is($d->status($cert{ud}), 'good', 'another user is there');

my @later = ($d->cert('uc', JamfUserWithComputer => 4, 20),
             $d->cert('ud', JamfUserWithDevice => 4, 20));

$d->becomes($_, 'good', 'another user') for @later;
$j->delete('computer', 4);
$d->becomes($cert{computer}, 'revoked', 'computer deleted');
$d->becomes($later[0], 'revoked', 'and the user on it');
is($d->status($later[1]), 'good', 'not the one on a device');
is($d->status($cert{device}), 'good', 'a device of that number is another');
$j->delete('mobileDevice', 4);
$d->becomes($cert{device}, 'revoked', 'device deleted');
$d->becomes($cert{ud}, 'revoked', 'and the user on it');
is($d->status($cert{other}), 'good', 'all that time another is good');

my $r = $d->{nginx}->ask($d->{ca}, $cert{computer});

is($r->{reason}, 5, 'a deletion is cessationOfOperation');

# back out of a backup of the server's database: a deletion sticks

$j->restore('computer', 4);
$d->round('jamf', 'computers');
is($d->status($cert{computer}), 'revoked', 'deleted once');

# with an account, and without the two rules

my $p = PKI::Directory->new($t, jamf => {
    name => 'account', sim => $j, login => 'account api;',
    secret => $j->option->{password},
});
my $new = $p->cert('new', JamfComputer => 5);

$p->becomes($new, 'good', 'with an account');
$j->change('computer', 5, managed => PKI::Sim::false, seen('computer', 999));
$d->becomes($cert{other}, 'hold', 'unmanaged and silent, where that counts');
$p->round('account', 'computers');
is($p->status($new), 'good', 'by default it does not');
$j->delete('computer', 5);
$p->becomes($new, 'revoked', 'deleted counts always');

my @basic = grep { ($_->{headers}{authorization} // '') =~ /^Basic/ } $j->log;

is(scalar(grep { $_->{target} !~ m{^/api/v1/auth/token$} } @basic), 0,
   'name and password are for one call only');

$t->done;
