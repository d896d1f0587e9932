# Checks where the map of one class is largest against annotated boxes.
#   awk -v class=NAME -v asked="NAME NAME..." -f check_point.awk LINES.txt BOXES.xml
# LINES.txt is what `saliency explain` printed, BOXES.xml a VOC annotation with
# one element a line.  Fails unless the point of `class` lies in a box of that
# class and in none of the other classes asked about.

function value(line) {
  gsub(/<[^>]*>|[ \t\r]/, "", line)
  return line
}

# VOC counts pixels from 1, both ends of a box included.
function holds() {
  return x + 1 >= xmin && x + 1 <= xmax && y + 1 >= ymin && y + 1 <= ymax
}

FNR == NR {
  if (index($0, ": " class " (") && match($0, /point y=[0-9]+ x=[0-9]+/)) {
    split(substr($0, RSTART, RLENGTH), parts, /[= ]/)
    y = parts[3]
    x = parts[5]
    found = 1
  }
  next
}
/<name>/ { name = value($0) }
/<xmin>/ { xmin = value($0) + 0 }
/<ymin>/ { ymin = value($0) + 0 }
/<xmax>/ { xmax = value($0) + 0 }
/<ymax>/ { ymax = value($0) + 0 }
/<\/object>/ && found && holds() {
  if (name == class) {
    right = sprintf("x %d..%d, y %d..%d", xmin, xmax, ymin, ymax)
  } else if (index(" " asked " ", " " name " ")) {
    wrong = name
  }
}

END {
  if (!found) {
    printf "%s: no map\n", class
    exit 1
  }
  printf "%s: point x=%d y=%d (from 1) ", class, x + 1, y + 1
  if (!right) {
    print "is in no box of " class ": WRONG"
    exit 1
  }
  printf "is in its box %s", right
  if (wrong) {
    print " but also in one of " wrong ": WRONG"
    exit 1
  }
  print ": right"
}
