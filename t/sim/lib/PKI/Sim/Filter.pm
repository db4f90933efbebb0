package PKI::Sim::Filter;

# Filters as far as simulators need them: of OData and SCIM (a eq 'x' and not
# (b eq true)), and RSQL (a=='x';b=in=(1,2)).  Each becomes code that says
# whether an object's fields match.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(odata_filter rsql_filter);

my %rsql = ('==' => 'eq', '!=' => 'ne', '=gt=' => 'gt', '=ge=' => 'ge',
            '=lt=' => 'lt', '=le=' => 'le', '=in=' => 'in',
            '=out=' => 'out');


# (code, {operators and functions that it has}); dies for nonsense

sub odata_filter {
    my ($text) = @_;

    my %used;
    my @tokens = $text =~ /\G\s*( '(?:[^']|'')*' | "(?:[^"\\]|\\.)*"
                                | [()] | , | [^\s(),'"]+ )/gcx;

    die "a filter is not understood\n"
        if (pos($text) // 0) < length($text =~ s/\s+$//r);

    my $code = _or(\@tokens, \%used);

    die "a filter has a rest\n" if @tokens;

    return ($code, \%used);
}

sub _or {
    my ($t, $used) = @_;

    my @or = _and($t, $used);

    while (@$t && lc $t->[0] eq 'or') {
        shift @$t;
        $used->{or}++;
        push @or, _and($t, $used);
    }

    return @or == 1 ? $or[0] : sub { for my $c (@or) {
        return 1 if $c->($_[0]) } 0 };
}

sub _and {
    my ($t, $used) = @_;

    my @and = _term($t, $used);

    while (@$t && lc $t->[0] eq 'and') {
        shift @$t;
        $used->{and}++;
        push @and, _term($t, $used);
    }

    return @and == 1 ? $and[0] : sub { for my $c (@and) {
        return 0 unless $c->($_[0]) } 1 };
}

sub _term {
    my ($t, $used) = @_;

    my $name = shift @$t // die "a filter ends early\n";

    if (lc $name eq 'not') {
        my $code = _term($t, $used);

        $used->{not}++;
        return sub { !$code->($_[0]) };
    }

    if ($name eq '(') {
        my $code = _or($t, $used);

        (shift @$t // '') eq ')' or die "a filter lacks )\n";
        return $code;
    }

    if ($name eq 'startswith' || $name eq 'startsWith') {
        my (undef, $field, undef, $start) = splice @$t, 0, 5;

        $used->{startswith}++;
        $start = lc _literal($start // '');
        return sub { index(lc(_field($_[0], $field) // ''), $start) == 0 };
    }

    my $op = lc(shift @$t // '');

    return sub { defined _field($_[0], $name) } if $op eq 'pr';

    die "a filter has no operator\n"
        unless $op =~ /^(eq|ne|gt|ge|lt|le|co|sw|in)$/;
    $used->{$op}++;

    if ($op eq 'in') {
        my @values;

        (shift @$t // '') eq '(' or die "a filter lacks (\n";

        while (@$t && $t->[0] ne ')') {
            my $v = shift @$t;
            push @values, _literal($v) unless $v eq ',';
        }

        shift @$t;
        return _test($name, 'in', @values);
    }

    return _test($name, $op, _literal(shift @$t // die "no value\n"));
}

sub rsql_filter {
    my ($text) = @_;

    my @or = map {
        [map {
            my ($name, $op, $value) =
                /^\s*([\w.]+)(==|!=|=(?:gt|ge|lt|le|in|out)=)(.*?)\s*$/s
                or die "a filter is not understood\n";

            my @values = $value =~ /^\((.*)\)$/s ? split /,/, $1 : $value;

            _test($name, $rsql{$op}, map { _literal($_) } @values);
        } _split($_, ';')]
    } _split($text, ',');

    return sub {
        for my $and (@or) {
            return 1 unless grep { !$_->($_[0]) } @$and;
        }
        0;
    };
}

# apart at a sign that is neither quoted nor in parentheses

sub _split {
    my ($text, $sign) = @_;

    my @parts = ('');

    while ($text =~ /\G("[^"]*"|'[^']*'|\([^)]*\)|.)/gs) {
        $1 eq $sign ? push @parts, '' : ($parts[-1] .= $1);
    }

    return @parts;
}

sub _literal {
    my ($v) = @_;

    return $v =~ s/''/'/gr if $v =~ s/^'(.*)'$/$1/s;
    return $v =~ s/\\(.)/$1/gr if $v =~ s/^"(.*)"$/$1/s;
    return lc $v eq 'true' ? 1 : lc $v eq 'false' ? 0
           : lc $v eq 'null' ? undef : $v;
}

sub _field {
    my ($fields, $path) = @_;

    my $v = $fields;

    for my $name (split m{[./]}, $path) {
        return unless ref $v eq 'HASH';

        my ($real) = exists $v->{$name} ? $name
                     : grep { lc eq lc $name } keys %$v;
        $v = $v->{ $real // return };
    }

    return ref $v && ref $v ne 'HASH' && ref $v ne 'ARRAY' ? ($v ? 1 : 0)
                                                           : $v;
}

sub _test {
    my ($name, $op, @values) = @_;

    my $same = sub {
        my ($is, $value) = @_;

        return !defined $value unless defined $is;
        return 0 unless defined $value;

        if ($value =~ /\*/) {
            my $re = join '.*', map { quotemeta } split /\*/, $value, -1;
            return $is =~ /^$re$/is;
        }

        return lc $is eq lc $value;
    };
    my $any = sub { my $is = shift; grep { $same->($is, $_) } @values };
    my $value = $values[0] // '';

    return sub { $any->(_field($_[0], $name)) ? 1 : 0 }
        if $op eq 'eq' || $op eq 'in';
    return sub { $any->(_field($_[0], $name)) ? 0 : 1 }
        if $op eq 'ne' || $op eq 'out';

    return sub {
        my $is = _field($_[0], $name) // return 0;

        return index(lc $is, lc $value) >= 0 if $op eq 'co';
        return index(lc $is, lc $value) == 0 if $op eq 'sw';

        my $order = "$is$value" =~ /^[\d.]+$/ ? $is <=> $value
                                              : $is cmp $value;

        return $op eq 'gt' ? $order > 0 : $op eq 'ge' ? $order >= 0
               : $op eq 'lt' ? $order < 0 : $order <= 0;
    };
}


1;
