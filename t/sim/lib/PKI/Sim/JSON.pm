package PKI::Sim::JSON;

# JSON octets and Perl values.  ordered_json() writes what a library does
# not: members in an order of choice, and one of them twice.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use Exporter 'import';

our @EXPORT = qw(to_json from_json ordered_json json_true json_false
                 json_bool);

my $json = Cpanel::JSON::XS->new->utf8->allow_nonref->canonical
           ->max_depth(20000)->allow_dupkeys;


sub json_true { return Cpanel::JSON::XS::true() }
sub json_false { return Cpanel::JSON::XS::false() }
sub json_bool { return $_[0] ? json_true : json_false }

sub to_json { return $json->encode(shift) }
sub from_json { return $json->decode(shift) }

# $order: names that come first in the outermost object, "*" for the others;
# $members: "reverse" for the order of members in all other objects; $twice:
# {name, to} is written once more after each member of that name

sub ordered_json {
    my ($v, $order, $members, $twice, $inner) = @_;

    if (ref $v eq 'ARRAY') {
        return '[' . join(',', map { ordered_json($_, undef, $members,
                                                  $twice, 1) } @$v) . ']';
    }

    return to_json($v) unless ref $v eq 'HASH';

    my @names = sort keys %$v;

    @names = reverse @names if ($members // '') eq 'reverse';

    if ($order && !$inner) {
        my %first = map { $_ => 1 } @$order;
        my @others = grep { !$first{$_} } @names;

        @names = map { $_ eq '*' ? @others : exists $v->{$_} ? $_ : () }
                 @$order, $first{'*'} ? () : '*';
    }

    return '{' . join(',', map {
        my $name = to_json($_);
        my @pair = "$name:" . ordered_json($v->{$_}, undef, $members,
                                           $twice, 1);

        push @pair, "$name:" . to_json($twice->{to})
            if $twice && $twice->{name} eq $_;
        @pair
    } @names) . '}';
}


1;
