package PKI::Sim::Fault;

# What goes wrong, in order.  A fault is {path, method, body, times, skip, do}:
# the first one of the list that matches a request decides about it; it lets
# "skip" requests pass, does its work "times" times (1 if not told, 0 for
# ever) and is gone.  What a fault can do is either a whole answer, or a
# change of the true one: see README.md.

use strict;
use warnings;

use Exporter 'import';
use List::Util qw(shuffle);
use MIME::Base64 qw(decode_base64);

use PKI::Sim::JSON;

our @EXPORT_OK = qw(mangle);

my @plan = qw(delay hang slow slow_head truncate reset gzip close);


sub new { return bless { list => [] }, shift }

sub add {
    my ($self, @faults) = @_;

    for (@faults) {
        die "a fault needs \"do\"\n" unless ref $_->{do} eq 'HASH';

        push @{ $self->{list} }, {
            times => 1, skip => 0, %$_,
            re => defined $_->{path} ? qr/$_->{path}/ : qr//,
        };
    }
}

sub clear { shift->{list} = [] }

sub list {
    my ($self) = @_;

    return [map { my %f = %$_; delete $f{re}; \%f } @{ $self->{list} }];
}

# what to do with this request, or nothing

sub match {
    my ($self, $req) = @_;

    my $list = $self->{list};

    for my $i (0 .. $#$list) {
        my $f = $list->[$i];

        next if $f->{method} && $f->{method} ne $req->{method};
        next if $req->{target} !~ $f->{re};
        next if defined $f->{body} && $req->{body} !~ /$f->{body}/;

        return if $f->{skip} && $f->{skip}--;

        $f->{done}++;
        splice @$list, $i, 1 if $f->{times} && !--$f->{times};

        return $f->{do};
    }

    return;
}

# The whole answer that a fault stands for, if it does.  The application
# tells what its own errors and pages look like.

sub whole {
    my ($do, $app, $req) = @_;

    my ($status, $type, $body) = ($do->{status} // 200, 'application/json');

    return { status => 200, body => '' } if $do->{hang};
    return { status => 200, body => '' } if ref $do->{reset};

    if (exists $do->{json}) {
        $body = to_json($do->{json});

    } elsif (defined $do->{html}) {
        ($type, $body) = ('text/html; charset=utf-8', $do->{html});

    } elsif (defined $do->{body}) {
        $body = $do->{body};

    } elsif (defined $do->{body64}) {
        $body = decode_base64($do->{body64});

    } elsif (defined $do->{redirect}) {
        return { status => $do->{status} // 302, body => '',
                 headers => [Location => $do->{redirect}] };

    } elsif ($do->{huge} || $do->{nest} || $do->{string}) {
        $body = _large($do, $app->list_member);

    } elsif ($do->{status} && !$do->{keep}) {
        return $app->error_answer($do, $req);

    } elsif (my $own = $app->fault_answer($do, $req)) {
        return $own;

    } else {
        return;
    }

    return { status => $status, headers => ['Content-Type' => $type],
             body => $body };
}

# huge: MB of items; string: MB in one string; nest: depth

sub _large {
    my ($do, $list) = @_;

    my $mb = 1 << 20;

    return qq({"$list":) . '[' x $do->{nest} . ']' x $do->{nest} . '}'
        if $do->{nest};

    return qq({"$list":[{"id":"00000000-0000-0000-0000-000000000000",)
           . '"displayName":"' . 'x' x ($do->{string} * $mb) . '"}]}'
        if $do->{string};

    my $item = '{"id":"%08x-0000-4000-8000-000000000000",'
               . '"accountEnabled":true,"padding":"' . 'x' x 900 . '"}';
    my $n = int $do->{huge} * $mb / (length($item) + 6);

    return qq({"$list":[)
           . join(',', map { sprintf $item, $_ } 0 .. $n) . ']}';
}

# changes of the true answer

sub change {
    my ($do, $app, $r) = @_;

    my $plan = $r->{plan} ||= {};

    $plan->{$_} = $do->{$_} for grep { exists $do->{$_} } @plan;

    if (defined(my $cut = $do->{truncate})) {
        $plan->{truncate} = length($r->{body}) + $cut
            if $cut ne 'chunked' && $cut < 0;
    }

    $r->{status} = $do->{status} if $do->{status} && $do->{keep};

    if ($do->{headers}) {
        my %new = map { lc() => 1 } keys %{ $do->{headers} };
        my @old = @{ $r->{headers} || [] };
        my @headers;

        while (my ($name, $value) = splice @old, 0, 2) {
            push @headers, $name, $value unless $new{ lc $name };
        }

        for my $name (sort keys %{ $do->{headers} }) {
            my $value = $do->{headers}{$name};

            push @headers, map { $name => $_ }
                           grep { defined } ref $value ? @$value : $value;
        }

        $r->{headers} = \@headers;
    }

    my @edits = @{ $do->{mangle} || [] };

    for (qw(nextLink deltaLink)) {
        push @edits, { set => "/\@odata.$_", to => $do->{$_} }
            if exists $do->{$_};
    }

    $r->{body} = mangle($r->{body}, @edits) if @edits;

    return $r;
}


# Edits of a JSON text.  Places are JSON pointers (RFC 6901), "*" for all
# members or items.

sub mangle {
    my ($text, @edits) = @_;

    my $v = from_json($text);
    my %how;

    for my $e (@edits) {
        my ($op) = grep { exists $e->{$_} }
                   qw(set delete duplicate drop reverse shuffle unknown);

        if (!$op) {
            $how{$_} = $e->{$_} for keys %$e;
            push @{ $how{raws} }, $e if exists $e->{raw};

        } else {
            _edit($_->[0], $_->[1], $op, $e) for _places($v, $e->{$op});
        }
    }

    $text = %how ? ordered_json($v, $how{order}, $how{members}, $how{twice})
                 : to_json($v);

    for (@{ $how{raws} || [] }) {
        my ($is, $to) = ($_->{raw}, $_->{to} // '');

        utf8::encode($_) for $is, $to;
        $to = decode_base64($_->{to64}) if defined $_->{to64};
        $text =~ s/\Q$is\E/$to/;
    }

    $text = "\xEF\xBB\xBF$text" if $how{bom};

    return $text;
}

# [container, key] of each place that a pointer names

sub _places {
    my ($v, $pointer) = @_;

    my @keys = map { s/~1/\//gr =~ s/~0/~/gr } split m{/}, $pointer;
    my @at = ($v);

    shift @keys;
    return ([\$v, undef]) unless @keys;

    my $last = pop @keys;

    for my $key (@keys) {
        @at = map { my ($in, @k) = ($_, $key);
                    @k = _keys($in) if $key eq '*';
                    map { _in($in, $_) } @k } @at;
    }

    return map { my $in = $_;
                 map { [$in, $_] } $last eq '*' ? _keys($in) : $last }
           grep { ref } @at;
}

sub _keys {
    my ($v) = @_;
    return ref $v eq 'ARRAY' ? reverse 0 .. $#$v
           : ref $v eq 'HASH' ? sort keys %$v : ();
}

sub _in {
    my ($v, $key) = @_;

    return ref $v eq 'ARRAY' ? $v->[$key] // ()
           : ref $v eq 'HASH' ? $v->{$key} // () : ();
}

sub _edit {
    my ($in, $key, $op, $e) = @_;

    my $array = ref $in eq 'ARRAY';
    my $v = defined $key ? _in($in, $key eq '-' ? -1 : $key) : $$in;

    if ($op eq 'set') {
        $array ? $key eq '-' ? push @$in, $e->{to} : ($in->[$key] = $e->{to})
               : ($in->{$key} = $e->{to});

    } elsif ($op eq 'delete') {
        $array ? splice @$in, $key, 1 : delete $in->{$key};

    } elsif ($op eq 'duplicate') {
        splice @$in, $e->{end} ? scalar @$in : $key + 1, 0, $v;

    } elsif ($op eq 'drop') {
        splice @$v, $e->{from} // 0, $e->{count} // 1;

    } elsif ($op eq 'reverse') {
        @$v = reverse @$v;

    } elsif ($op eq 'shuffle') {
        @$v = shuffle @$v;

    } elsif ($op eq 'unknown' && ref $v eq 'HASH') {
        my @some = (undef, 'text', 1.5, [1, [2]], { a => { value => [] } });

        $v->{"x_unknown$_"} = $some[$_ % @some] for 1 .. $e->{count} // 5;
    }
}


1;
