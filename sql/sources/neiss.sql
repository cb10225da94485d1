-- One row per lower-leg case of a NEISS extract (injuries seen in US emergency rooms, public): narrative words become symptom answers
-- requires: Treatment_Date, Age, Sex, Narrative, Body_Part
-- optional: CPSC_Case_Number, Diagnosis
-- ignores: unnamed_1, Alcohol, Drug, Incident Locale, Location, Disposition, Fire_Involvement, Race, Other_Race, Hispanic, Other_Diagnosis, Body_Part_2, Diagnosis_2, Other_Diagnosis_2, Product_1, Product_2, Product_3, Stratum, PSU, Weight
-- dates: Treatment_Date
-- ids: CPSC_Case_Number
--
-- What the rules below decide, and why
--   scope       Body_Part is the lower leg (as text or as code 36); every other row is left out, counted as out of scope.
--   id          the case number; in a file (of a long one: in a block of rows) without any case number the first 12 hex
--               digits of the file's hash and the line number.
--               A blank case number in a file that has them is passed on blank: an invented id would count the case twice.
--   age         years; 201-223 are 1-23 months; 0 is NEISS's code for not recorded. Anything else is passed on as it is.
--   date        month/day/year; the two-digit years 69-99 are 1969-1999. What is no such date is passed on as it is.
--   unknown     what a narrative does not mention. A narrative is not a questionnaire: silence is never no.
--   yes         a mention that is not surely denied. A denial that these rules cannot follow counts as a mention.
--   no          a denial cue right before the word, or before a list that holds it: NO SWELLING OR REDNESS; DENIES FEVER,
--               SOB. A denial ends at the first other word, at . ; : ( ) and at DX, BUT, HOWEVER; at a comma too, unless
--               an OR closes the list or it is a bare list of signs after DENIES. What NO ... AND ... says of the second word is
--               unclear, so it stays unknown. -SOB denies only where nothing but punctuation follows: in the real
--               "HAND -PAIN/NUMBNESS IN THE AREA" the dash is a dash.
--   cannot      what the patient cannot do or what did not help is a statement of its own, and no denial before it reaches it:
--               DENIES FEVER, UNABLE TO WALK. Nor does ABLE TO deny anything after a NOT.
--   both        yes wins: a text that contradicts itself must never lower an answer.
--   neither     NO NEW SWELLING, NO HX OF FEVER, RETURN IF RED, SWELLING RESOLVED: they say nothing about today.
--   elsewhere   a sign in a clause that names another body part, and not the leg, is not the calf's. A sign without a
--               place belongs to the coded body part, the lower leg. Swelling or numbness of the thigh, knee, ankle or
--               foot is leg_swelling or sensation_loss (both fields take the whole leg); its denial says nothing.
--   someone     SISTER HAS FEVER, SOMEONE WAS HIT: not the patient's. Seen only where the words stand side by side.
--   diagnoses   a diagnosis is not a sign: CELLULITIS gives no redness. The coded Diagnosis is used only where it is itself
--               a wound or bruise of the coded body part: laceration, puncture, avulsion, amputation, hematoma.
--   skin_break  cut, bite, puncture, open wound, torn skin or tissue, open fracture. Burns and abrasions are not among the
--               wounds that the article names and stay unknown; so does a bare WOUND. NO LACERATION denies one kind of
--               wound only: no comes from NO OPEN WOUND and SKIN INTACT.
--   direct_blow hit, struck, kicked, shot by a projectile, something fell on the leg; bruise, contusion, hematoma; and a
--               cut, as the article names contusions and lacerations together. NO BRUISE does not deny a knock: no comes
--               from NO TRAUMA. Sparks that hit are a burn; a firework shot TOWARD somebody need not have hit.
--   redness     redness, erythema, discoloration, red streaks; not a bruise (direct_blow), not a first-degree burn.
--   swelling    the cases are lower legs, so SWELLING is calf_swelling, and with it leg_swelling; a denial reaches
--               leg_swelling only where it speaks of legs in general (NO LEG SWELLING).
--   weight      difficulty or pain in walking is neither yes nor no; a child that refuses to walk is a yes.
--   never set   pain_score, duration_days, region: the date of an injury is not the duration of a pain.
-- The official yearly files code Sex, Body_Part and Diagnosis with numbers (understood here) and call the text Narrative_1:
-- rename that header cell to Narrative.
WITH cases AS (
  SELECT
    line_number,
    CASE
      WHEN (SELECT count(CPSC_Case_Number) FROM raw) > 0 THEN trim(CPSC_Case_Number)
      ELSE substr(file_id, 1, 12) || '-' || line_number
    END AS report_id,
    trim(Treatment_Date) AS treated,
    trim(Age) AS age_given,
    try_cast(regexp_extract(trim(Age), '^(\d{1,3})(\.0+)?$', 1) AS INTEGER) AS age_code,
    Sex AS sex_given,
    lower(trim(Sex)) AS sex_word,
    coalesce(lower(trim(Diagnosis)), '') AS diagnosis,
    coalesce(upper(Narrative), '') AS words
  FROM raw
  WHERE lower(trim(Body_Part)) IN ('lower leg', 'leg, lower', '36')
),

-- One space between words, abbreviations spelt out; every . now ends a sentence, every , a clause.
spaced AS (
  SELECT * REPLACE (' ' || words
    .regexp_replace('[''’`"]', '', 'g')
    .regexp_replace('[#%~]', ' ', 'g')
    .regexp_replace('@', ' AT ', 'g')
    .regexp_replace('\*+', ' ', 'g')
    .regexp_replace('\b(?:TEMP\w*|TMAX|T)\b[ :=]*(?:OF |TO |WAS |UP TO )?(?:10[1-6]\b|100\.[4-9]|3[89]\.\d|40\.\d)', ' FEVER ', 'g')
    .regexp_replace('(\d)\.(\d)', '\1\2', 'g')
    .regexp_replace('\bS\.O\.B\b', 'SOB', 'g')
    .regexp_replace('\bDENIES([A-Z])', 'DENIES \1', 'g')
    .regexp_replace('\bNO(FEVER|SWELLING|REDNESS|WARMTH|SOB|NUMBNESS|LOC)\b', 'NO \1', 'g')
    .regexp_replace('\bW/ ?O\b|\bW O\b|\bWO\b', ' WITHOUT ', 'g')
    .regexp_replace('\bW/|\bW\b', ' WITH ', 'g')
    .regexp_replace('\bC/O\b', ' COMPLAINS OF ', 'g')
    .regexp_replace('\bS/P\b', ' AFTER ', 'g')
    .regexp_replace('\bH/O\b', ' HX OF ', 'g')
    .regexp_replace('\bF/C\b', ' FEVER OR CHILLS ', 'g')
    .regexp_replace('\bN/T\b', ' NUMBNESS OR TINGLING ', 'g')
    .regexp_replace('\bN/V(?:/D)?\b', ' NAUSEA ', 'g')
    .regexp_replace('[(\[] ?- ?[)\]]', ' NO ', 'g')
    .regexp_replace('[(\[] ?\+ ?[)\]]', ' . ', 'g')
    .regexp_replace('--+|-*>+', ' . ', 'g')
    .regexp_replace('(^|[ .,;:/()])-([A-Z])', '\1 MINUS \2', 'g')
    .regexp_replace(' - | /', ' . ', 'g')
    .regexp_replace('-', ' ', 'g')
    .regexp_replace('DX\b|(^|[^A-Z])DX', ' . ', 'g')
    .regexp_replace('[.;:!?=<+]+', ' . ', 'g')
    .regexp_replace('[,()\[\]{}|]', ' , ', 'g')
    .regexp_replace('&', ' AND ', 'g')
    .regexp_replace('/', ' / ', 'g')
    .regexp_replace('\b(?:BUT|HOWEVER|ALTHOUGH|THOUGH|EXCEPT|YET)\b', ' . ', 'g')
    .regexp_replace('\s+', ' ', 'g') || ' . '
  AS words) FROM cases
),

-- Body parts become @calf (the leg in question), @leg and @legs (legs in general), @limb (thigh, knee, ankle, foot) or @else;
-- home treatment becomes %care.
parted AS (
  SELECT * REPLACE (words
    .regexp_replace('\b\d+ ?(?:FOOT|FEET|FT)\b', ' ', 'g')
    .regexp_replace('\bBACK OF\b', 'POSTERIOR', 'g')
    .regexp_replace('\b(WENT|GO|GOING|CAME|COME|FELL|RAN|RUN|GOT|GET|FIRED|BLEW|TURNED|LOOKED|JUMPED|BROUGHT) BACK\b', '\1', 'g')
    .regexp_replace('\b(?:BELOW|ABOVE) (?:THE |R |L |RT |LT |RIGHT |LEFT )*(?:KNEE|ANKLE)\b|\bKNEE (?:DOWN )?TO (?:THE )?ANKLE\b', '@calf', 'g')
    .regexp_replace('\b(?:UPPER|U) LEGS?\b', 'THIGH', 'g')
    .regexp_replace('\b(?:CALF|CALFS|CALVES|SHINS?|TIBIAS?|TIBIAL|PRETIBIAL|TIB|FIB|FIBULAS?|GASTROC\w*|ACHILLES'
      '|LOW(?:ER)? ?LEGS?[DX]?|RLE|LLE|(?:HER|HIS|THE)LEG)\b', '@calf', 'g')
    .regexp_replace('LOW(?:ER)?LEGS?\b', ' @calf', 'g')
    .regexp_replace('\b(?:LEGS|LOW(?:ER)? ?EXTREMITIES|LES|BLE)\b', '@legs', 'g')
    .regexp_replace('\b(?:LEG|LOW(?:ER)? ?EXTREMITY|LE)\b', '@leg', 'g')
    .regexp_replace('\b(?:CHEST|BACK|ABD|ABDOMINAL|STOMACH|NECK|HEAD|HIP|KNEE|ANKLE|FOOT|ARM) (?:PAIN|PN|PX|INJ|INJURY)\b', '#other', 'g')
    .regexp_replace('\b(?:HEAD|SCALP|FOREHEAD|TEMPLE|FACE|FACIAL|CHEEKS?|JAW|CHIN|NOSE|NASAL|LIPS?|MOUTH|TOOTH|TEETH|TONGUE'
      '|EYES?|EYELIDS?|EYEBROWS?|CORNEAS?|CORNEAL|ORBITAL|PERIORBITAL|EARS?|TYMPANIC|THROAT|NECK|CERVICAL|SHOULDERS?|CLAVICLE|AXILLA'
      '|ARMS?|FOREARMS?|UPPER EXT\w*|ELBOWS?|WRISTS?|HANDS?|PALMS?|FINGERS?|FINGERTIPS?|FINGERNAILS?|THUMBS?|DIGITS?'
      '|HUMERUS|RADIUS|ULNA|CHEST|RIBS?|BREASTS?|BACK|SPINE|LUMBAR|ABD|ABDOMEN|ABDOMINAL|STOMACH|MENSTRUAL|FLANK|TRUNK|TORSO'
      '|PELVI[SC]|HIPS?|BUTTOCKS?|GROIN|GENITAL\w*|SCROTUM|SCROTAL|PENIS)\b', '@else', 'g')
    .regexp_replace('\b(?:THIGHS?|HAMSTRINGS?|QUADS?|FEMUR|KNEES?|PATELLA\w*|ANKLES?|FOOT|FEET|HEELS?|TOES?|TOENAILS?)\b', '@limb', 'g')
    .regexp_replace('\b(?:R|L|RT|LT|RIGHT|LEFT) @leg\b', '@calf', 'g')
    .regexp_replace('\b(?:R|L|RT|LT|RIGHT|LEFT|BILAT\w*|BOTH) @', '@', 'g')
    -- LAC TO HAND, ARM, LEG: parts after a comma belong to what stands before it
    .regexp_replace(' , ((?:AND )?(?:HIS |HER |THE )?@\w+) ,', ' AND \1 ,', 'g')
    .regexp_replace(' , ((?:AND )?(?:HIS |HER |THE )?@\w+) ([.,]|AND|/)', ' AND \1 \2', 'g')
    .regexp_replace('\b(?:REST|RESTED|RESTING|ICE|ICED|ICING|ELEVATION|ELEVATING|RICE|HEAT|MASSAGE|STRETCHING|TYLENOL|ACETAMINOPHEN'
      '|MOTRIN|ADVIL|IBUPROFEN|ALEVE|NAPROXEN|NSAIDS?|OTC|MEDS|MEDICATIONS?|HOME TREATMENT|SELF CARE)\b', '%care', 'g')
  AS words) FROM spaced
),

-- Words that look like signs and are none.
cleared AS (
  SELECT * REPLACE (words
    .regexp_replace('\b(?:RETURN|RTC|RTED|COME|F / U|FOLLOW UP|CALL)(?: [A-Z]+){0,4} IF\b[^.]*', ' ', 'g')
    .regexp_replace('\b(?:WATCH|MONITOR|LOOK OUT|PRECAUTIONS|INSTRUCTED)(?: [A-Z]+){0,2} FOR\b[^.]*', ' ', 'g')
    .regexp_replace('\b(?:HAY|SCARLET|YELLOW|DENGUE|CABIN) FEVER\b', 'ILLNESS', 'g')
    .regexp_replace('\bSTREAK(?:S|ING) (?:ACROSS|THROUGH|TOWARDS?|PAST|AT|INTO|OVERHEAD|AWAY|OF (?:LIGHT|FIRE))\b', 'FLYING', 'g')
    .regexp_replace('\bFROST ?BITE\b', 'FROZEN', 'g')
    .regexp_replace('\bPEDAL EDEMA\b', '#other', 'g')
    .regexp_replace('\bSPARKS? (?:\w+ )?(?:HIT|HITTING|STRUCK|STRIKING)\b', 'SPARKS BURNED', 'g')
    .regexp_replace('\b(?:HIT|STRUCK)( [A-Z]+){0,3} WITH SPARKS?\b', 'SPARKS BURNED', 'g')
    .regexp_replace('\bAVULSION (?:FX|FXS|FRACTURES?)\b', 'FX', 'g')
    .regexp_replace('\bSTAND (?:THE )?(?:PAIN|PN|IT)\b', 'ENDURE', 'g')
    .regexp_replace('\bWAS (?:WALKING|STANDING|AMBULATING)\b', 'WENT', 'g')
    .regexp_replace('\b(?:NOT|NEVER|(?:IS|WAS|ARE|WERE|HAS|HAVE|HAD|DOES|DO|DID)NT)(?: BEEN| BEING| REALLY| QUITE| YET| EVEN| FULLY| FEEL'
      '| FEELING)* ABLE TO\b|\bUN ABLE TO\b', 'UNABLE TO', 'g')
    .regexp_replace('\b(?:NOT|NEVER|NO LONGER|(?:IS|WAS|ARE|WERE|HAS|HAVE|HAD|DOES|DO|DID)NT)(?: [A-Z]+){1,3} ABLE TO\b', 'ONCE', 'g')
    .regexp_replace('\b(?:UNABLE|CANNOT|CANT|NOT ABLE)(?: TO)? (?:WALK|AMBULATE) WITHOUT (?:A )?(?:LIMP\w*|PAIN|PN)\b', 'LIMPS', 'g')
    .regexp_replace('\b(?:BARELY|HARDLY|SCARCELY|NEARLY|ALMOST|WAS|WERE|INITIALLY|PREVIOUSLY|USUALLY|NORMALLY) ABLE TO\b', 'ONCE', 'g')
    .regexp_replace('\bABLE TO((?: [A-Z]+){1,4} (?:INITIALLY|AT FIRST|BEFORE|PRIOR|YESTERDAY|AT SCENE|ON SCENE|ONLY|STEPS'
      '|WITH (?:ASSIST\w*|HELP|CRUTCHES|WALKER|CANE|DIFFICULTY|LIMP)))\b', 'ONCE \1', 'g')
    .regexp_replace('\bWARM (?:WATER|BATH|COMPRESS\w*|SOAKS?|SHOWER|UPS?|WEATHER|PACKS?|CLOTH\w*|BLANKETS?|OIL|FOOD|SOUP|TEA|MILK'
      '|AND (?:WELL PERFUSED|DRY|PINK)|, DRY)\b|\b(?:TO|KEEP|KEPT|STAY) WARM\b', 'HEATED', 'g')
    .regexp_replace('\b(?:BY|PER|FROM) (?:HIS |HER |THE )?(?:MOM|MOTHER|DAD|FATHER|PARENTS?|BROTHER|SISTER|SIBLING|SON|DAUGHTER|WIFE'
      '|HUSBAND|FRIEND|COUSIN|NEIGHBOR|FAMILY)\b', 'BY ONE', 'g')
  AS words) FROM parted
),

-- Symptom words become #tokens; #at_ tokens are signs that belong to a place on the body. NO #token is a denial in one word.
tagged AS (
  SELECT * REPLACE (words
    -- standing and walking
    .regexp_replace('\bINABILITY TO (?:BEAR (?:WT|WEIGHT)|WALK|AMBULATE|STAND)\b', ' #no_weight ', 'g')
    .regexp_replace('(?:UNABLE|\b(?:INABILITY|UNWILLING|NOT? (?:BEEN |BEING )?ABLE|NO LONGER ABLE|NOT WILLING|CAN ?NOT|CANT|COULD ?NOT'
      '|COULDNT|REFUS\w+|WONT|WILL NOT|WOULD NOT|WOULDNT|NOT WANTING|DOESNT WANT|DOES NOT WANT|HASNT|HAS NOT))(?: ?TO)?(?: EVEN| FULLY)? '
      '(?:(?:BEAR|PUT|PLACE|HOLD|TOLERATE)(?:ING)?(?: ANY| FULL| MUCH| HER| HIS)* (?:WT|WEIGHT|WB|PRESSURE)'
      '|(?:WT|WEIGHT) ?BEAR\w*|WB\b|WALK\w*|AMBULAT\w*|AMB\b|STAND\w*|STOOD|GET UP)', ' . #no_weight ', 'g')
    .regexp_replace('\b(?:NON? ?(?:WT|WEIGHT) ?BEARING|NWB|NON ?AMBULATORY|NOT (?:AMBULAT\w+|WALKING|(?:WT|WEIGHT) ?BEARING'
      '|BEARING(?: ANY)? (?:WT|WEIGHT))|STOPPED WALKING|NOW (?:UNABLE|CANNOT|CANT)(?: TO)?( [.,]))', ' . #no_weight \1', 'g')
    .regexp_replace('\bABLE TO (?:STILL |FULLY )?(?:(?:BEAR|PUT|PLACE)(?: ANY| FULL| SOME| HER| HIS)* (?:WT|WEIGHT)|(?:WT|WEIGHT) BEAR'
      '|WALK|AMBULATE|AMB\b|STAND)\b', ' NO #no_weight ', 'g')
    .regexp_replace('\bNO (?:DIFF\w*|TROUBLE|PROBLEMS?|ISSUES?) (?:WITH )?(?:WALKING|AMBULATI\w+|STANDING|BEARING (?:WT|WEIGHT)'
      '|(?:WT|WEIGHT) ?BEARING)\b', ' NO #no_weight ', 'g')
    .regexp_replace('\b(?:WALK\w*|AMBULAT\w*|STAND\w*|BEAR\w* (?:WT|WEIGHT)|(?:WT|WEIGHT) ?BEAR\w*)(?: INTO ED| IN ED| TO ED| WELL)? '
      '(?:WITHOUT (?:ANY )?(?:DIFF\w*|PROBLEMS?|TROUBLE|ASSIST\w*|LIMP\w*|ISSUES?)|WITH STEADY GAIT|INDEPENDENTLY|NORMALLY)\b', ' NO #no_weight ', 'g')
    .regexp_replace('\bAMBULATORY (?:TO|INTO|IN|ON ARRIVAL)\b', ' NO #no_weight ', 'g')
    .regexp_replace('\bWALKING (?:INTO|THROUGH|PAST|OUT|OVER|ACROSS|DOWN|TO|IN|BY|HOME|BACKWARDS?|HIS|HER|THE|DOGS?)\b', 'GOING', 'g')
    -- breath, fever, fluids
    .regexp_replace('\b(?:SHORT(?:NESS)? OF ?BREATHE?|SOB|DYSPN\w+|(?:DIFF\w*|TROUBLE|HARD TIME|PROBLEMS?) (?:WITH )?(?:BREATHING|BREATHE'
      '|CATCHING (?:HIS |HER )?BREATH)|BREATHING (?:DIFF\w*|TROUBLE|PROBLEMS?)|LABORED BREATHING|RESP\w* DISTRESS)\b', ' #short_breath ', 'g')
    .regexp_replace('\b(?:UNABLE TO|CANT|CANNOT|COULDNT) (?:BREATHE|CATCH (?:HIS |HER )?BREATH)\b', ' . #short_breath ', 'g')
    .regexp_replace('\b(?:AFEBRILE|NONFEBRILE)\b', ' NO #fever ', 'g')
    .regexp_replace('[A-Z]*FEVER\w*|\b(?:FEBRILE|PYREXIA)\b', ' #fever ', 'g')
    .regexp_replace('\bWELL HYDRATED\b', ' NO #dehydration ', 'g')
    .regexp_replace('\bDEHYDRAT\w*', ' #dehydration ', 'g')
    -- how it began and went on
    .regexp_replace('\b(?:FELT|FEELS?|FEELING|HEARD AND FELT)(?: (?:OR|AND) HEARD)?(?: LIKE)?(?: A| AN| SOMETHING| IT| SUDDEN| LOUD| HIS| HER| @\w+)* '
      '(?:POP|POPS|POPPED|POPPING|SNAP|SNAPPED|TEAR|TEARING|TORE|RIP|RIPPING)\b', ' #at_pop ', 'g')
    .regexp_replace('\b(?:HEARD(?: A| LOUD| SUDDEN)* )?(?:POP|POPPED|SNAP|SNAPPED) (?:IN|TO|FROM) (?:HIS |HER |THE |POSTERIOR )*(@(?:calf|legs?))', ' #at_pop \1', 'g')
    .regexp_replace('(@(?:calf|legs?)) (?:POPPED|SNAPPED)\b|\b(?:POPPING|TEARING|SNAPPING) (?:SENSATION|FEELING)\b|\bPOP (?:HEARD|FELT)\b', '\1 #at_pop ', 'g')
    .regexp_replace('\bOVER ?(?:US(?:E|ED|ING)|EXERT\w*|TRAIN\w*|DID|DOING)\b', ' #overuse ', 'g')
    .regexp_replace('\b(?:WORSE\w*|INCREAS\w+)(?: [A-Z]+){0,3} DESPITE(?: [A-Z]+){0,3} %care', ' . #worse ', 'g')
    .regexp_replace('\b(?:NOT (?:IMPROV\w+|BETTER|GETTING (?:ANY )?BETTER|RELIEVED)|NO (?:IMPROVEMENT|RELIEF|BETTER|HELP)'
      '|WITHOUT (?:ANY )?(?:RELIEF|IMPROVEMENT)|UNRELIEVED)(?: [A-Z]+){0,2} (?:WITH|BY|FROM|AFTER|DESPITE)(?: [A-Z]+){0,3} %care', ' . #not_better ', 'g')
    .regexp_replace('%care(?: [A-Z]+| @\w+){0,3} (?:WITHOUT (?:ANY |MUCH )?(?:RELIEF|IMPROVEMENT)|(?:WITH )?NO (?:RELIEF|IMPROVEMENT)'
      '|NOT HELPING|DIDNT HELP|DID NOT HELP|DOESNT HELP)\b', ' . #not_better ', 'g')
    .regexp_replace('\b(?:PAIN\w*|PN|PX|ACH\w+|SORE\w*|HURT\w*)(?: [A-Z]+| @\w+){0,3} (?:AFTER|FROM|WITH|SINCE|FOLLOWING)'
      '(?: A| AN| THE| PROLONGED| EXTENDED| LONG| HOURS OF)* (?:SITTING|LONG (?:FLIGHT|PLANE RIDE|CAR RIDE|CAR TRIP|DRIVE|ROAD TRIP|BUS RIDE))\b'
      '|\bACHES AFTER SITTING\b', ' #after_sitting ', 'g')
    .regexp_replace('\b(?:PAIN\w*|PN|PX|ACH\w+|SORE\w*|HURT\w*)(?: [A-Z]+| @\w+){0,3} (?:AFTER|SINCE|FOLLOWING)(?: A| AN| SHORT| LONG| MILD| LIGHT| MINIMAL)* '
      '(?:WALK|WALKS|WALKING|EXERTION|CLIMBING STAIRS)\b', ' #after_exertion ', 'g')
    -- what is seen and felt on the leg
    .regexp_replace('\b(?:VARICOS\w+(?: VEINS?)?|(?:ENLARGED|BULGING|TWISTED|DISTENDED|SWOLLEN) VEINS?|VEINS? (?:IS |ARE )?(?:ENLARGED|BULGING'
      '|TWISTED|DISTENDED))\b', ' #at_veins ', 'g')
    .regexp_replace('[A-Z]*(?:SWELLI|SWELLE|SWELIN|SWOLLEN|SWOLEN)[A-Z]*|\bSWELLS?\b|\bO?EDEMA\w*', ' #at_swelling ', 'g')
    .regexp_replace('\b(?:NON ?TENDER\w*|NTTP)\b', ' NO #at_tender ', 'g')
    .regexp_replace('\b(?:TENDER(?:NESS)?(?: TO (?:THE )?(?:TOUCH|PALP\w*))?|TTP|(?:PAIN\w*|SORE) (?:ON|WITH|TO|UPON) (?:PALP\w*|TOUCH))\b', ' #at_tender ', 'g')
    .regexp_replace('\bRED(?:DISH|NESS)? (?:AND )?(?:LINEAR )?STREAK\w*', ' #at_red_streak ', 'g')
    .regexp_replace('\b(?:STREAKS|STREAKING)\b', ' #at_streak ', 'g')
    .regexp_replace('\b(?:AND|WITH)?REDNESS\w*|\b(?:REDDEN\w*|REDDISH)|[A-Z]*ERYTHE?M\w*|\bDISCOLOU?R\w*', ' #at_redness ', 'g')
    .regexp_replace('[A-Z]*WARMTH\b|\b(?:(?:WARM|HOT)(?:ER)? TO (?:THE )?TOUCH|WARM)\b', ' #at_warmth ', 'g')
    .regexp_replace('\s+', ' ', 'g')
    .regexp_replace('(#at_\w+(?: AND| ,| /| , AND)?) HOT\b', '\1 #at_warmth ', 'g')
    .regexp_replace('\bHOT((?: AND| ,| /)? #at_(?:swelling|redness|tender))', ' #at_warmth \1', 'g')
    .regexp_replace('\bRED((?: AND| ,| /| , AND)? )HOT\b', 'RED \1 #at_warmth ', 'g')
    .regexp_replace('(@(?:calf|legs?)(?: IS| WAS| FEELS| FELT| VERY)+) HOT\b', '\1 #at_warmth ', 'g')
    .regexp_replace('\s+', ' ', 'g')
    .regexp_replace('\bRED ((?:AND |, |/ |, AND )?(?:#at_|PAINFUL|SORE|INFLAMED|IRRITATED|ITCHY|RAISED))', ' #at_redness \1', 'g')
    .regexp_replace('(#at_\w+(?: AND| ,| /| , AND)?) RED\b', '\1 #at_redness ', 'g')
    .regexp_replace('\bRED (AREAS?|SPOTS?|PATCH\w*|MARKS?|RASH\w*|SKIN|BUMPS?|RINGS?|LINES?|@)', ' #at_redness \1', 'g')
    .regexp_replace('\b(IS|WAS|LOOKS|LOOKED|APPEARS|BECAME|TURNED|TURNING|GETTING|VERY|BRIGHT|BEEFY|NOT) RED\b', '\1 #at_redness ', 'g')
    .regexp_replace('(@(?:calf|legs?)(?: IS| WAS| TURNED| LOOKS)+) (?:PURPLE|BLUE|DARK)\b', '\1 #at_redness ', 'g')
    .regexp_replace('\b(?:LUMPS?|NODULES?|PALPABLE MASS|KNOTS? (?:IN|ON|TO)|BUMPS? (?:IN|ON|TO)|MASS (?:IN|ON|TO|OF))\b', ' #at_lump ', 'g')
    .regexp_replace('(@(?:calf|legs?)) (?:MASS|KNOT|BUMP)\b|\bMASS (@(?:calf|legs?))', '\1\2 #at_lump ', 'g')
    .regexp_replace('\b(?:COOL|COLD)(?:ER)? TO (?:THE )?TOUCH\b|\bCOOLNESS\b', ' #at_cool ', 'g')
    .regexp_replace('(@(?:calf|legs?)(?: IS| WAS| FEELS| FELT| VERY)*) (?:COOL|COLD)(?:ER)?\b', '\1 #at_cool ', 'g')
    .regexp_replace('\b(?:COOL|COLD)((?: AND| ,)? (?:PALE )?@(?:calf|legs?))', ' #at_cool \1', 'g')
    .regexp_replace('\bNOT COOL\b', 'NOT #at_cool ', 'g')
    .regexp_replace('\s+', ' ', 'g')
    .regexp_replace('\bPALLOR\b', ' #at_pale ', 'g')
    .regexp_replace('((?:@(?:calf|legs?)|#at_cool)(?: IS| WAS| LOOKS| APPEARS| VERY| AND| OR| /| ,)*) PALER?\b', '\1 #at_pale ', 'g')
    .regexp_replace('\s+', ' ', 'g')
    .regexp_replace('(#at_pale(?: AND| OR| /| ,)?) (?:COOL|COLD)(?:ER)?\b', '\1 #at_cool ', 'g')
    .regexp_replace('\bPALER?((?: AND| ,)? (?:#at_cool|@(?:calf|legs?)))', ' #at_pale \1', 'g')
    .regexp_replace('\bNO (?:SENSATION|SENSORY) (?:LOSS|CHANGES?|DEFICITS?)|\bSENSATION(?: IS| WAS| GROSSLY)* (?:INTACT|NORMAL|PRESENT)'
      '|\b(?:INTACT|NORMAL) SENSATION\b', ' NO #at_numb ', 'g')
    .regexp_replace('[A-Z]*NUMBNESS\b|\b(?:NUMB|INSENSATE|SENSATION LOSS|SENSORY LOSS|(?:LOSS|LACK|LOST|DECREASED?|DECR|DIMINISHED|REDUCED|ABSENT'
      '|NO|WITHOUT)(?: OF| ALL)* (?:SENSATION|FEELING))\b', ' #at_numb ', 'g')
    .regexp_replace('\b(?:CANT|CANNOT|UNABLE TO|COULDNT|COULD NOT) FEEL\b', ' . #at_numb ', 'g')
    .regexp_replace('[A-Z]*CRAMP\w*|\bSPASM\w*|\bCHARL(?:EY|IE)S? HORSE\w*', ' #at_cramp ', 'g')
    -- wounds and blows
    .regexp_replace('\b(?:BITES?|BITTEN|BIT (?:HIM|HER|PT|PATIENT|ON|IN)|BIT BY(?: [A-Z]+){0,3} (?:DOG|CAT|PUPPY|SNAKE|SPIDER|HORSE|RAT|BUG|INSECT)'
      '|(?:DOG|CAT|PUPPY|SNAKE|SPIDER|HORSE|RAT) BIT)\b', ' #at_bite ', 'g')
    .regexp_replace('\bSKIN (?:IS )?INTACT\b', ' NO #at_open_wound ', 'g')
    .regexp_replace('\b(?:OPEN WOUNDS?|SKIN (?:BREAKS?|TEARS?)|BREAKS? IN (?:THE )?SKIN)\b', ' #at_open_wound ', 'g')
    .regexp_replace('\bOPEN(?: @\w+| /| AND| DISPLACED| COMMINUTED| PROXIMAL| DISTAL| MIDSHAFT| SHAFT| R| L| RT| LT| RIGHT| LEFT)* (?:FX|FXS|FRACTURES?)\b'
      '|\bCOMPOUND (?:FX|FRACTURE)\b', ' #at_open_fracture ', 'g')
    .regexp_replace('[A-Z]*(?:LACERAT|LACERTI|LACRAT)[A-Z]*|\bLACS?\b|\bGASH\w*|\bSLICED\b', ' #at_cut ', 'g')
    .regexp_replace('\b(?:CUTS? (TO|ON|INTO|HIS|HER|OWN|SELF|HIMSELF|HERSELF|OPEN|BY|@\w+)|CUTTING (HIS|HER|SELF|@\w+))\b', ' #at_cut \1\2', 'g')
    .regexp_replace('\b(?:A|SMALL|SMALLER|DEEP|LARGE|MULT\w*|SUPERFICIAL|OF) CUTS?\b', ' #at_cut ', 'g')
    .regexp_replace('(@\w+) CUT\b', '\1 #at_cut ', 'g')
    .regexp_replace('[A-Z]*PUNCTUR[A-Z]*|\b(?:PWS?|IMPALED|PENETRATING|STAB|STABBED|GSW|GUN ?SHOT WOUNDS?)\b', ' #at_puncture ', 'g')
    .regexp_replace('[A-Z]*(?:AVULS|AVLUS)[A-Z]*|\b(?:DEGLOV\w*|AMPUTAT\w*|(?:TISSUE|SKIN) (?:LOSS|DEFICIT|DEFECT)'
      '|(?:DEFICIT|DEFECT|LOSS) (?:IN|OF) (?:THE )?(?:SOFT )?TISSUES?)\b', ' #at_torn_off ', 'g')
    .regexp_replace('[A-Z]*(?:BRUIS|ECCHYM|CONTUS|HEMATOM)[A-Z]*', ' #at_bruise ', 'g')
    .regexp_replace('\bCONTS? (?:TO |OF )?@', ' #at_bruise @', 'g')
    .regexp_replace('\bBLUNT TRAUMA\b', ' #at_hit ', 'g')
    .regexp_replace('\b(?:ATRAUMATIC|NON ?TRAUMATIC)\b', ' NO #at_trauma ', 'g')
    .regexp_replace('\bTRAUMA\b', ' #at_trauma ', 'g')
    .regexp_replace('\b(?:INJURY|INJURIES|INJ)\b', ' #injury ', 'g')
    .regexp_replace('\b(?:HIT|HITS|HITTING|STRUCK|STRIKING|STRIKES|KICKED|BUMPED|BANGED|SLAMMED) (HIM\w*|HER\w*|HIS|SELF|PTS?|PATIENT|THE (?:PT|PATIENT)'
      '|BY|IN|INTO (?:HIS |HER |THE )?@\w+|ON|TO|WITH|AGAINST|(?:THE |POSTERIOR |ANTERIOR |INNER |OUTER )*@\w+)\b', ' #at_hit \1', 'g')
    .regexp_replace('[A-Z]*SHOT (HIM\w*|HER\w*|SELF|PT|PATIENT|(?:RIGHT |STRAIGHT |BACK )*INTO (?:HIS |HER |PTS |THE )*@\w+)\b', ' #at_hit \1', 'g')
    .regexp_replace('\bSHOOTING (HIM\w*|HER\w*|PT|PATIENT)\b', ' #at_hit \1', 'g')
    .regexp_replace('\b(?:GOT|(?:PT|PATIENT|HE|SHE|\d+ ?YO[MF]) (?:WAS|BEING)) SHOT (BY|IN|WITH)\b', ' #at_hit \1', 'g')
    .regexp_replace('\b(?:FELL|LANDED|DROPPED|ROLLED|RAN|RUN|CRASHED)(?: [A-Z]+){0,3} (?:ON|ONTO|OVER|INTO) ((?:HIS |HER |PTS |THE )*@(?:calf|legs?))', ' #at_hit \1', 'g')
    .regexp_replace('(@(?:calf|legs?)) (?:WAS |GOT )?(?:RAN|RUN) OVER\b', '\1 #at_hit ', 'g')
    -- words of no field that stand beside the others in lists of denials
    .regexp_replace('\b(?:LOC|LOSS OF CONSCIOUSNESS|CHILLS|PAIN|PN|CP|NAUSEA|VOMITING|HA|HEADACHE|DIZZINESS|SYNCOPE|WEAKNESS|TINGLING|DEFORMITY|DRAINAGE'
      '|PUS|BLEEDING|FX|FRACTURE|FB|FOREIGN BODY|RASH|CLOTS?|DVT|COUGH|INFECTION|BURNS?|ABRASIONS?)\b', ' #other ', 'g')
    .regexp_replace('\s+', ' ', 'g')
    .regexp_replace('(?: ,)?(?: AND)? \. #(no_weight|worse|not_better|short_breath|at_numb)\b', ' . #\1', 'g')
    -- a cue right before such a statement is about it: DENIES BEING UNABLE TO WALK, CALL IF HE CANNOT STAND
    .regexp_replace('\b(DENIES|DENIED|DENY|DENYING|NOT|NO|NEVER)((?: BEING| FEELING| GETTING| ANY)*) \. #(no_weight|worse|not_better|short_breath|at_numb)\b',
      '\1\2 #\3', 'g')
    .regexp_replace('\b(IF|WHETHER)((?: [A-Z]+| @\w+){0,3}) \. #', '\1\2 #', 'g')
    .regexp_replace('@leg #at_swelling|#at_swelling (?:TO|OF|IN) (?:BOTH |HER |HIS |THE |EITHER )*@legs', '#at_leg_swelling', 'g')
  AS words) FROM cleared
),

-- A sign in a clause (cut at each |) that names another part of the body, and no part of the leg, is not the leg's.
placed AS (
  SELECT * REPLACE (array_to_string(list_transform(
      words
      .regexp_replace('([.,])', '|\1', 'g')
      .regexp_replace('(@\w+) (AND|/) ((?:@\w+ )?#)', '\1 |\2 \3', 'g')
      .regexp_replace('\b(AND|WHILE|WHEN) (PT|PATIENT|HE|SHE)\b', '|\1 \2', 'g')
      .regexp_replace('\b(WITH|HAS|HAD|NOTED|NO|NOT|DENIES|DENIED|WITHOUT) ((?:[A-Z]+ ){0,2}#\w+ (?:TO|OF|IN|ON|OVER|AT|AROUND) (?:[A-Z]+ ){0,2}@(?:else|limb))', '|\1 \2', 'g')
      .regexp_replace('\b(NO|NOT|DENIES|DENIED|WITHOUT) ((?:[A-Z]+ ){0,2}@(?:else|limb) #)', '|\1 \2', 'g')
      .string_split('|'),
      lambda clause: CASE
        WHEN regexp_matches(clause, '@(?:calf|leg)') THEN clause
        WHEN contains(clause, '@limb')
          THEN clause.regexp_replace('#at_(swelling|numb)', '#limb_\1', 'g').regexp_replace('#at_\w+', '#other', 'g')
        WHEN contains(clause, '@else') THEN regexp_replace(clause, '#at_\w+', '#other', 'g')
        ELSE clause
      END), '') AS words)
  FROM tagged
),

-- Someone else's signs and those of another time go; denial cues become !no and !deny right before a token.
cued AS (
  SELECT * REPLACE (words
    .regexp_replace('\b(?:MOM|MOTHER|DAD|FATHER|PARENTS?|BROTHER|SISTER|SIBLINGS?|SON|DAUGHTER|WIFE|HUSBAND|FRIENDS?|COUSIN|NEIGHBOR|ROOMMATE|BOYFRIEND'
      '|GIRLFRIEND)(?: WHO)?(?: ALSO)? (?:HAS|HAD|HAVE)(?: A| ALSO| SOME)? #\w+', ' ', 'g')
    .regexp_replace('\bSOMEONE(?: ELSE)?(?: WAS| GOT)? #\w+', ' ', 'g')
    .regexp_replace('\b(?:IF|WHETHER)(?: [A-Z]+| @\w+){0,3} #[^.]*', ' ', 'g')
    .regexp_replace('#\w+(?: HAS| HAVE)? RESOLVED\b', ' ', 'g')
    .regexp_replace('\b(?:NO|NOT|WITHOUT|DENIES|DENIED) (?:HX|HISTORY|PRIOR|PREVIOUS|PAST|OTHER|FURTHER|ADDITIONAL|NEW|MORE|INCREASED?|WORSENING|SEVERE|MAJOR'
      '|EXCESSIVE|LONGER)(?: [A-Z]+| @\w+){0,2} #\w+(?: (?:OR|/|AND) #\w+)*', ' ', 'g')
    .regexp_replace('(#\w+) \. (?:NONE|NO|DENIES|DENIED|NEGATIVE) ([.,])', '!no \1 \2', 'g')
    .regexp_replace('(#\w+)(?: IS| WAS| ARE| WERE)? (?:DENIED|ABSENT|NEGATIVE|NOT (?:PRESENT|NOTED|SEEN|APPRECIATED|REPORTED))\b', '!no \1', 'g')
    .regexp_replace('\b(?:DENIES|DENIED|DENY|DENYING|NEG FOR|NEGATIVE FOR)(?: HAVING| BEING)?(?: ANY| SIGNS?| SX| SYMPTOMS?| OF| OBVIOUS| ACUTE| SIGNIFICANT'
      '| ASSOCIATED| SUBJECTIVE| FEELING| LOW GRADE| @\w+)* #', '!deny #', 'g')
    .regexp_replace('\b(?:NO|NOT|NON|NEG|NEGATIVE|WITHOUT|ABSENCE OF|FREE OF|NEITHER|(?:DOES|DID) NOT HAVE|(?:DOES|DID)NT HAVE)(?: ANY| SIGNS?| SX| SYMPTOMS?'
      '| OF| FOR| COMPLAINS| COMPLAINTS?| EVIDENCE| OBVIOUS| ACUTE| SIGNIFICANT| APPARENT| VISIBLE| GROSS| ASSOCIATED| SURROUNDING| LOCAL| POINT| BONY| PITTING| SKIN| SOFT TISSUE'
      '| LOW GRADE| REPORTED| KNOWN| @\w+)* #', '!no #', 'g')
    .regexp_replace('\b(?:DENIES|DENIED)(?: [A-Z]+){1,3} #\w+', ' ', 'g')
    .regexp_replace('\b(OR|NOR)(?: ANY| SIGNS?| OF| @\w+)+ #', '\1 #', 'g')
    .regexp_replace('(!no #\w+(?: (?:OR|NOR|/) #\w+)*)(?: AND #\w+)+ ([.,])', '\1 \2', 'g')
    -- DENIES INJURY, SWELLING: a cause is denied, then a sign is told
    .regexp_replace('(!(?:no|deny) #(?:injury|at_trauma)(?: (?:OR|/) #(?:injury|at_trauma))*) ,', '\1 .', 'g')
    .regexp_replace('\s+', ' ', 'g')
    -- what is denied stands between < and >: a bare list after DENIES; a list closed by OR; a chain of OR and /; -SOB
    .regexp_replace('!deny #\w+(?:(?: (?:, AND|, OR|, NOR|AND|OR|NOR|,|/))? #\w+)* \.'
      '|!(?:no|deny) #\w+(?:(?: ,)? #\w+)+(?: ,)? (?:OR|NOR) #\w+'
      '|!(?:no|deny) #\w+(?: (?:, )?(?:OR|NOR|/) #\w+)*'
      '|MINUS #\w+(?: (?:, )?MINUS #\w+| / #\w+)* [.,]', '<\0>', 'g')
  AS words) FROM placed
),

said AS (
  SELECT *,
    regexp_extract_all(array_to_string(regexp_extract_all(words, '<[^>]*>'), ' '), '#(\w+)', 1) AS denied,
    regexp_extract_all(regexp_replace(words, '<[^>]*>', ' ', 'g'), '#(\w+)', 1) AS told
  FROM cued
)

SELECT
  line_number,
  report_id,
  CASE
    WHEN regexp_full_match(treated, '\d{1,2}/\d{1,2}/\d{2}')
      THEN coalesce(strftime(try_strptime(treated, '%m/%d/%y'), '%Y-%m-%d'), treated)
    WHEN regexp_full_match(treated, '\d{1,2}/\d{1,2}/\d{4}')
      THEN coalesce(strftime(try_strptime(treated, '%m/%d/%Y'), '%Y-%m-%d'), treated)
    ELSE treated
  END AS reported_at,
  CASE
    WHEN age_code = 0 THEN NULL
    WHEN age_code <= 17 OR age_code BETWEEN 201 AND 223 THEN '0-17'
    WHEN age_code <= 29 THEN '18-29'
    WHEN age_code <= 44 THEN '30-44'
    WHEN age_code <= 59 THEN '45-59'
    WHEN age_code <= 74 THEN '60-74'
    WHEN age_code <= 120 THEN '75+'
    ELSE age_given
  END AS age_band,
  CASE
    WHEN sex_word IN ('male', 'm', '1') THEN 'male'
    WHEN sex_word IN ('female', 'f', '2') THEN 'female'
    WHEN sex_word IN ('other', 'non-binary', 'non-binary/other', '3') THEN 'other'
    WHEN sex_word IN ('unknown', 'unk', 'not recorded', 'not stated', '0') THEN 'unknown'
    ELSE sex_given
  END AS sex,
  CASE WHEN 'no_weight' IN told THEN 'yes' WHEN 'no_weight' IN denied THEN 'no' END AS cannot_bear_weight,
  CASE WHEN list_has_any(told, ['at_redness', 'at_red_streak']) THEN 'yes' WHEN 'at_redness' IN denied THEN 'no' END AS redness,
  CASE
    WHEN list_has_any(told, ['at_swelling', 'at_leg_swelling']) THEN 'yes'
    WHEN list_has_any(denied, ['at_swelling', 'at_leg_swelling']) THEN 'no'
  END AS calf_swelling,
  CASE
    WHEN list_has_any(told, ['at_swelling', 'at_leg_swelling', 'limb_swelling']) THEN 'yes'
    WHEN 'at_leg_swelling' IN denied THEN 'no'
  END AS leg_swelling,
  CASE WHEN 'at_warmth' IN told THEN 'yes' WHEN 'at_warmth' IN denied THEN 'no' END AS warmth,
  CASE WHEN 'fever' IN told THEN 'yes' WHEN 'fever' IN denied THEN 'no' END AS fever,
  CASE WHEN 'short_breath' IN told THEN 'yes' WHEN 'short_breath' IN denied THEN 'no' END AS shortness_of_breath,
  CASE WHEN 'at_tender' IN told THEN 'yes' WHEN 'at_tender' IN denied THEN 'no' END AS tenderness,
  CASE
    WHEN list_has_any(told, ['at_streak', 'at_red_streak']) THEN 'yes'
    WHEN list_has_any(denied, ['at_streak', 'at_red_streak']) THEN 'no'
  END AS streaks,
  CASE WHEN 'at_lump' IN told THEN 'yes' WHEN 'at_lump' IN denied THEN 'no' END AS lump,
  CASE WHEN 'at_cool' IN told THEN 'yes' WHEN 'at_cool' IN denied THEN 'no' END AS cooler_leg,
  CASE WHEN 'at_pale' IN told THEN 'yes' WHEN 'at_pale' IN denied THEN 'no' END AS paler_leg,
  CASE WHEN 'after_exertion' IN told THEN 'yes' WHEN 'after_exertion' IN denied THEN 'no' END AS pain_after_exertion,
  CASE WHEN list_has_any(told, ['at_numb', 'limb_numb']) THEN 'yes' WHEN 'at_numb' IN denied THEN 'no' END AS sensation_loss,
  CASE WHEN 'after_sitting' IN told THEN 'yes' WHEN 'after_sitting' IN denied THEN 'no' END AS pain_after_sitting,
  CASE WHEN 'at_pop' IN told THEN 'yes' WHEN 'at_pop' IN denied THEN 'no' END AS pop_at_onset,
  CASE WHEN 'worse' IN told THEN 'yes' WHEN 'worse' IN denied THEN 'no' END AS worse_despite_self_care,
  CASE WHEN 'not_better' IN told THEN 'yes' WHEN 'not_better' IN denied THEN 'no' END AS not_improving,
  CASE WHEN 'at_cramp' IN told THEN 'yes' WHEN 'at_cramp' IN denied THEN 'no' END AS cramping,
  CASE WHEN 'dehydration' IN told THEN 'yes' WHEN 'dehydration' IN denied THEN 'no' END AS dehydration,
  CASE
    WHEN diagnosis IN ('laceration', '59', 'puncture', '63', 'avulsion', '72', 'amputation', '50') THEN 'yes'
    WHEN list_has_any(told, ['at_cut', 'at_bite', 'at_puncture', 'at_open_wound', 'at_torn_off', 'at_open_fracture']) THEN 'yes'
    WHEN 'at_open_wound' IN denied THEN 'no'
  END AS skin_break,
  CASE
    WHEN diagnosis IN ('laceration', '59', 'hematoma', '58') THEN 'yes'
    WHEN list_has_any(told, ['at_hit', 'at_bruise', 'at_cut']) THEN 'yes'
    WHEN 'at_trauma' IN denied THEN 'no'
  END AS direct_blow,
  CASE WHEN 'overuse' IN told THEN 'yes' WHEN 'overuse' IN denied THEN 'no' END AS overuse,
  CASE WHEN 'at_veins' IN told THEN 'yes' WHEN 'at_veins' IN denied THEN 'no' END AS visible_veins
FROM said
