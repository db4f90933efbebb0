# Jamf Pro as a cluster whose nodes lag behind one another (J5, C19): a
# listing stays with one node, and no node's past revokes anything or lets
# states flap.

use strict;
use warnings;

use lib 't/lib';
use PKI::Test;
use PKI::Directory;

my $lag = 1;

my $t = PKI::Test->new;
my $d = PKI::Directory->new($t, jamf => {
    text => 'unmanaged on; page 4; confirm 2s; settle 2s;',
    options => { nodes => 2, lag => $lag },
});
my $j = $d->{sim}{jamf};

$j->add_all(map { { kind => 'computer', id => "$_" } } 1 .. 10);
sleep $lag;

my @certs = map { $d->cert('computer', JamfComputer => $_) } 1 .. 3, 11;

$d->becomes($_, 'good', 'a computer') for @certs[0 .. 2];

# what it was over a time: each change

sub course {
    my ($cert, $time) = @_;

    my @seen;
    my $end = time + $time;

    while (time < $end) {
        my $is = $d->status($cert);

        push @seen, $is if !@seen || $seen[-1] ne $is;
        sleep 0.02;
    }

    return @seen;
}

# cookies

$j->log_clear;
$d->round('jamf', 'computers') for 1 .. 3;

my @pages = grep { $_->{target} =~ /computers-inventory\?/ } $j->log;
my @later = grep { $_->{target} !~ /page=0&/ } @pages;
my %nodes = map { $_ => 1 } map { /node(\d)/ } map {
                $_->{headers}{cookie} // '' } @later;

ok(@later >= 8, 'listings of several pages');
is(scalar(grep { !$_->{headers}{cookie} } @later), 0,
   'all but a first page are of the node that gave it');
is_deeply([sort keys %nodes], [0, 1], 'listings go to both nodes');

# a new computer, which one of the nodes does not know yet

$j->add('computer', id => '11');

my @seen = course($certs[3], $lag + 3);

is($seen[-1], 'good', 'a new computer is good');
is(scalar(grep { !/^(good|tryLater)$/ } @seen), 0, 'and was never revoked')
    or diag("@seen");

# what became worse stays so, whatever the other node says

$j->change('computer', 1, managed => PKI::Sim::false);
$d->becomes($certs[0], 'hold', 'unmanaged');
$d->stays($certs[0], 'hold', 'as the other node will say', $lag + 1);

$j->change('computer', 1, managed => PKI::Sim::true);
@seen = course($certs[0], $lag + 4);
is($seen[-1], 'good', 'managed again');
ok(@seen <= 4, "no flapping: @seen");

# deleted is what both say

$j->delete('computer', 2);
$d->becomes($certs[1], 'revoked', 'deleted', 15);
$d->stays($certs[1], 'revoked', 'deleted', 1);
is($d->status($_), 'good', 'others are good') for @certs[2, 3];

$t->done;
