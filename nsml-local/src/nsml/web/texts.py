"""The page's words, in English, which the code holds, and Korean, which stands here."""

from __future__ import annotations

import time

LANGUAGES = {"en": "en-US", "ko": "ko-KR"}
COOKIE = "nsml_language"


class Texts:
    """`texts("Leaderboard")` is the word in the reader's language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, **values: object) -> str:
        """The text with `{name}` replaced by the values."""
        found = KOREAN[text] if self.language == "ko" else text
        return found.format(**values) if values else found

    def ago(self, moment: float) -> str:
        """ "3 minutes ago", for seconds since the epoch."""
        passed = time.time() - moment
        return self("just now") if passed < 60 else self("{time} ago", time=self.duration(passed))

    def duration(self, seconds: float) -> str:
        """ "3 minutes", the largest unit of which there is at least one."""
        for size, one, many in (
            (86400, "1 day", "{count} days"),
            (3600, "1 hour", "{count} hours"),
            (60, "1 minute", "{count} minutes"),
        ):
            if seconds >= size:
                count = int(seconds // size)
                return self(one) if count == 1 else self(many, count=count)
        return self("{count} seconds", count=round(seconds))

    def status(self, status: str) -> str:
        """Starting, Running, Exited, Failed, Stopped, Lost or Damaged."""
        return self(status) if status in KOREAN else status


def choose_language(cookie: str | None, accepted: str | None) -> str:
    """ "ko" or "en": what was chosen before, else the first of the browser's languages (the header Accept-Language) that there is."""
    if cookie in LANGUAGES:
        return str(cookie)
    wishes: list[tuple[float, int, str]] = []
    for part in (accepted or "").split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        wishes.append((-weight, len(wishes), name.strip().lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(wishes) if name in LANGUAGES and weight < 0), "en")


KOREAN = {
    # Frame
    "Datasets": "데이터셋",
    "Machine": "컴퓨터",
    "Skip to the content": "본문으로 건너뛰기",
    "Menu": "메뉴",
    "Light or dark": "밝게 또는 어둡게",
    "Language": "언어",
    "Find a dataset": "데이터셋 찾기",
    "Look only": "보기 전용",
    "Close": "닫기",
    "Cancel": "취소",
    "There is nothing here": "여기에는 아무것도 없습니다",
    # Times
    "just now": "방금",
    "{time} ago": "{time} 전",
    "1 day": "1일",
    "{count} days": "{count}일",
    "1 hour": "1시간",
    "{count} hours": "{count}시간",
    "1 minute": "1분",
    "{count} minutes": "{count}분",
    "{count} seconds": "{count}초",
    # Datasets
    "Name": "이름",
    "Train": "학습",
    "Test": "테스트",
    "Labels": "정답",
    "hidden": "숨김",
    "none": "없음",
    "Size": "크기",
    "Sessions": "세션",
    "Last use": "마지막 사용",
    "Classes": "클래스",
    "Damaged": "손상됨",
    "No dataset yet. Type one of these in a terminal:": "아직 데이터셋이 없습니다. 터미널에서 다음 중 하나를 입력하세요.",
    "draws a made-up dataset": "가상 데이터셋을 그립니다",
    "registers a folder of yours": "가지고 있는 폴더를 등록합니다",
    "starts main.py of a folder as a session": "폴더의 main.py를 세션으로 시작합니다",
    "No session yet. Type this in the folder of your program:": "아직 세션이 없습니다. 프로그램 폴더에서 다음을 입력하세요.",
    "No submission yet. When a session has saved a checkpoint:": "아직 제출이 없습니다. 세션이 체크포인트를 저장한 뒤에 다음을 입력하세요.",
    # Board
    "Leaderboard": "리더보드",
    "Everybody": "모두",
    "Mine": "내 것",
    "Rank": "순위",
    "User": "사용자",
    "Score": "점수",
    "Session": "세션",
    "Checkpoint": "체크포인트",
    "Memo": "메모",
    "Submissions": "제출 수",
    "When": "시각",
    "Best score so far": "지금까지의 최고 점수",
    "The highest score first": "높은 점수 순",
    "The lowest score first": "낮은 점수 순",
    "Time": "시각",
    # Sessions
    "Number": "번호",
    "Status": "상태",
    "Age": "경과",
    "Common arguments": "공통 인자",
    "Arguments": "인자",
    "Starting": "시작 중",
    "Running": "실행 중",
    "Exited": "종료됨",
    "Failed": "실패",
    "other labels": "다른 정답으로 채점됨",
    "Stopped": "중지됨",
    "Lost": "사라짐",
    "Open": "열기",
    "Stop": "중지",
    "Resume": "이어서 학습",
    "Fork": "포크",
    "Remove": "삭제",
    "Submit": "제출",
    "Graph": "그래프",
    "Differences": "차이",
    "Find": "찾기",
    "Select sessions in the table first": "먼저 표에서 세션을 선택하세요",
    "Select one session": "세션을 하나만 선택하세요",
    "Select two sessions": "세션을 두 개 선택하세요",
    "{count} sessions": "세션 {count}개",
    # Actions
    "Stop {names}?": "{names} 세션을 중지할까요?",
    "Remove {names}? Checkpoints and logs go too; scores on the board stay.": (
        "{names} 세션을 삭제할까요? 체크포인트와 로그도 지워지고, 리더보드의 점수는 남습니다."
    ),
    "Session {name} is stopped": "{name} 세션을 중지했습니다",
    "Session {name} is removed": "{name} 세션을 삭제했습니다",
    "Session {name} is resumed from checkpoint {checkpoint}": "{name} 세션을 체크포인트 {checkpoint}에서 이어서 시작했습니다",
    "Session {name} is started": "{name} 세션을 시작했습니다",
    "Fork {name}": "{name} 세션 포크",
    "Submit {name}": "{name} 세션 제출",
    "the newest": "가장 최근",
    "The session has saved no checkpoint": "세션이 저장한 체크포인트가 없습니다",
    "The memo is kept": "메모를 저장했습니다",
    "starting the program": "프로그램을 시작하는 중",
    "loading the checkpoint": "체크포인트를 불러오는 중",
    "photograph {done} of {total}": "사진 {total}장 중 {done}장",
    "scoring": "채점 중",
    "Score: {score}": "점수: {score}",
    # Session page
    "Log": "로그",
    "Checkpoints": "체크포인트",
    "Report": "보고서",
    "Terminal": "터미널",
    "Details": "상세",
    "Saved": "저장 시각",
    "Took": "걸린 시간",
    "Summary": "요약",
    "Entry": "시작 파일",
    "Started": "시작 시각",
    "Ended": "종료 시각",
    "Kind": "종류",
    "Goes on from": "이어 받은 곳",
    "Command": "명령",
    "Environment": "환경",
    # Log
    "Find in the log": "로그에서 찾기",
    "Earlier lines": "이전 줄",
    "To the end": "끝으로",
    "Nothing was printed yet": "아직 출력이 없습니다",
    "It ran in the foreground; its output went to the terminal": "포그라운드에서 실행되어 출력이 터미널로 나갔습니다",
    "{count} lines found": "{count}줄을 찾았습니다",
    "the first {count} lines found": "처음 {count}줄을 찾았습니다",
    "{size} more were printed and are passed over; 'Earlier lines' shows them": (
        "{size}가 더 출력되어 건너뛰었습니다. '이전 줄'로 볼 수 있습니다"
    ),
    "No line holds that": "그런 줄이 없습니다",
    "The log is followed": "로그를 따라가는 중",
    # Graph
    "X axis": "가로축",
    "Step": "스텝",
    "Relative time": "상대 시간",
    "Smoothing": "평활",
    "Logarithmic": "로그 눈금",
    "Picture": "그림",
    "Nothing was reported yet; the program must call nsml.report": "아직 보고된 값이 없습니다. 프로그램이 nsml.report를 호출해야 합니다",
    "seconds": "초",
    "other": "기타",
    "Sessions to draw": "그릴 세션",
    "{count} damaged lines are left out": "손상된 {count}줄을 제외했습니다",
    # Differences
    "Results": "결과",
    "Files": "파일",
    "Files: the same": "파일: 동일",
    "not text, or large: they differ": "텍스트가 아니거나 큰 파일: 서로 다릅니다",
    "Is one better?": "어느 쪽이 더 나은가?",
    "comparing": "비교하는 중",
    "First session": "첫째 세션",
    "Second session": "둘째 세션",
    "Only what differs": "다른 것만",
    "The code of one of them was not kept": "둘 중 하나의 코드가 보관되지 않았습니다",
    "Compare": "비교",
    # Report
    "Write a report": "보고서 쓰기",
    "No report yet on a checkpoint of this session": "이 세션의 체크포인트에 대한 보고서가 아직 없습니다",
    "Report on checkpoint {name}": "체크포인트 {name} 보고서",
    # Terminal
    "An expression over the variables last given to nsml.report(scope=locals())": (
        "nsml.report(scope=locals())에 마지막으로 넘긴 변수로 된 식"
    ),
    "Evaluate": "계산",
    "Only a running session can be asked": "실행 중인 세션에만 물을 수 있습니다",
    "The program must call nsml.report(scope=locals(), ...)": "프로그램이 nsml.report(scope=locals(), ...)를 호출해야 합니다",
    # Machine
    "Processors": "프로세서",
    "Load": "부하",
    "Memory": "메모리",
    "Disk": "디스크",
    "{free} of {total} free": "{total} 중 {free} 남음",
    "GPUs": "GPU",
    "No NVIDIA GPU": "NVIDIA GPU가 없습니다",
    "Use": "사용률",
    "No session runs": "실행 중인 세션이 없습니다",
    "Limits": "제한",
}
