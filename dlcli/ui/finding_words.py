"""What each kind of finding means for a training, in words for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Gravity = Literal["harm", "look", "note"]


@dataclass(frozen=True)
class Kind:
    """What findings of a kind have in common: `title` names them, `meaning` says what they do to a
    training, `advice` what to do. `gravity` is "harm" where the numbers or the model suffer, "look"
    where a person should decide, "note" where dlcli copes and other programs may not."""

    title: str
    gravity: Gravity
    meaning: str
    advice: str


WORDS: Mapping[str, Kind] = MappingProxyType(
    {
        "leak": Kind(
            "the same picture in more than one part",
            "harm",
            "A picture that was trained on is remembered, not recognised: the numbers on test come "
            "out too high.",
            "Leave the copies out of the part that is trained on.",
        ),
        "label_conflict": Kind(
            "the same picture in more than one class",
            "harm",
            "At least one of its labels is wrong, and a classifier that is asked for one class "
            "cannot be right about both.",
            "Keep each picture in the class it belongs to, or leave it out.",
        ),
        "corrupt": Kind(
            "files that cannot be read",
            "harm",
            "They are skipped: fewer pictures are trained on than the folder seems to hold.",
            "Get them again from where they came from, or remove them.",
        ),
        "unlikely_label": Kind(
            "labels that the run does not believe",
            "harm",
            "A wrong label teaches a mistake, and among test pictures it counts a right answer as "
            "wrong.",
            "Look at each, the least likely first, and move what is in the wrong class.",
        ),
        "duplicate": Kind(
            "identical files",
            "look",
            "A picture that is there twice counts twice. dlcli never lets copies straddle a split.",
            "Leave all but one out.",
        ),
        "near_duplicate": Kind(
            "pictures that look alike",
            "look",
            "The same photo saved again, or shots of one scene: they teach less than their number "
            "suggests. Where dlcli splits a folder it keeps them together.",
            "Nothing has to be done; other pictures would help more.",
        ),
        "empty_class": Kind(
            "classes without pictures",
            "look",
            "What is not trained on is never recognised, and what is not tested has no numbers.",
            "Add pictures, or remove the class.",
        ),
        "small_class": Kind(
            "classes of few pictures",
            "look",
            "So few pictures show little of what a class may look like, and the numbers on them "
            "are mostly chance.",
            "Add pictures: 20 at the least, better 100.",
        ),
        "imbalance": Kind(
            "classes of very different size",
            "look",
            "A classifier that leans towards the large class looks good on average and fails on "
            "the small one.",
            "Add pictures of the small class, and judge by the balanced accuracy.",
        ),
        "blank": Kind(
            "pictures of nothing",
            "look",
            "A picture of one colour shows nothing of its class.",
            "Leave them out.",
        ),
        "tiny": Kind(
            "very small pictures",
            "look",
            "Enlarged to what a network sees they are a few blurred squares.",
            "Get larger ones, or leave them out.",
        ),
        "dark": Kind(
            "very dark pictures",
            "look",
            "There is hardly anything to be seen on them.",
            "Keep them if the classifier will meet such pictures, else leave them out.",
        ),
        "blurred": Kind(
            "blurred pictures",
            "look",
            "They lack the detail that tells classes apart.",
            "Keep them if the classifier will meet such pictures, else leave them out.",
        ),
        "outlier": Kind(
            "pictures unlike the others of their class",
            "look",
            "They resemble no other picture of their class, whatever their label says.",
            "Look whether they belong here.",
        ),
        "wrong_suffix": Kind(
            "names that say another format",
            "note",
            "dlcli goes by what a file holds; other programs may go by its name and fail.",
            "Rename them if other programs use this folder.",
        ),
        "odd_mode": Kind(
            "pictures that are converted when they are read",
            "note",
            "A network sees 8-bit colours, so other pixels are turned into such by a rule.",
            "Look whether the rule suits these pictures.",
        ),
        "multi_frame": Kind(
            "animations and documents",
            "note",
            "The first picture of each is used, the others are not.",
            "Store what else matters as pictures of its own.",
        ),
        "turned": Kind(
            "pictures that the camera stored lying",
            "note",
            "dlcli turns them upright, as their EXIF data asks; programs that do not will see them "
            "lying.",
            "Nothing has to be done for dlcli.",
        ),
    }
)
"""The words for every kind there is."""
